// A session: the tree of calls, the timeline that zooms, and one call in detail beside them.
import { copy } from "./copy.js";
import { follow as followArrivals } from "./live.js";
import { bindTimeline } from "./timeline.js";
import { localTimes, parse, say } from "./common.js";

const PATIENCE = 90; // milliseconds: walking the tree with a held key must not load every call

let loading, waiting;

/** Puts one call beside the tree. */
async function load(address) {
  const pane = document.querySelector("#pane");
  loading?.abort();
  loading = new AbortController();
  pane.classList.add("loading");
  try {
    const reply = await fetch(address.replace("/sessions/", "/detail/"), { signal: loading.signal });
    if (!reply.ok) throw new Error(reply.status === 404 ? "it is not stored" : reply.statusText);
    const content = parse(await reply.text());
    localTimes(content);
    pane.replaceChildren(content);
    pane.scrollTop = 0;
    document.title = `${pane.querySelector("h1").textContent} · honeytrace`;
  } catch (error) {
    if (error.name === "AbortError") return;
    say(`Not shown: ${error.message}`);
  }
  pane.classList.remove("loading");
}

/** A value as it was recorded, in its place; and back. */
async function toggleRaw(link) {
  const body = link.closest("section").querySelector(".body");
  const raw = body.nextElementSibling;
  if (raw) {
    raw.remove();
  } else {
    const text = await (await fetch(link.href)).text();
    if (text.length > 1_000_000) return location.assign(link.href);
    const block = document.createElement("pre");
    block.className = "rawtext";
    block.tabIndex = 0;
    block.textContent = text;
    body.after(block);
  }
  body.hidden = !raw;
  link.setAttribute("aria-pressed", String(!raw));
}

async function giveFeedback(form) {
  const body = new URLSearchParams(new FormData(form));
  // the reply leads to the whole page; what is needed of it is the part of this call
  const reply = await fetch(form.action, { method: "POST", body, redirect: "manual" });
  if (reply.type !== "opaqueredirect") {
    return say(parse(await reply.text()).querySelector(".lead")?.textContent ?? "Not saved");
  }
  await load(new URL(form.action).pathname);
  say("Feedback saved");
}

function bindPane(pane, follow) {
  pane.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const raw = event.target.closest("[data-raw]");
    const link = event.target.closest("[data-follow]");
    if (!raw && !(link && follow(link.getAttribute("href")))) return;
    event.preventDefault();
    if (raw) toggleRaw(raw);
  });
  pane.addEventListener("submit", (event) => {
    event.preventDefault();
    giveFeedback(event.target);
  });
}

/** A run that has not ended: its page says when there is more of it. */
function watch() {
  const notice = document.querySelector("#arrived");
  if (!notice) return;
  let count = 0;
  notice.addEventListener("click", () => location.reload());
  followArrivals(notice.dataset.live, {
    told: ({ arrived }) => {
      count += arrived;
      notice.textContent = count ? `${count} more ${count === 1 ? "call" : "calls"}: show` : "It changed: show";
      notice.hidden = false;
    },
    flooded: () => { notice.hidden = false; },
  });
}

const copyId = () => copy(document.querySelector("#copy-id"));
const up = () => document.querySelector("#pane [rel=up]")?.click();

/** Inputs and outputs as they were recorded, and back. */
const rawValues = () => {
  for (const link of document.querySelectorAll("#pane [data-raw]")) {
    if (/field=(inputs|outputs)$/.test(link.href)) toggleRaw(link);
  }
};

export function bindSession() {
  const pane = document.querySelector("#pane");
  if (!pane) return {};
  watch();
  const tree = document.querySelector("#tree");
  if (!tree) {
    bindPane(pane, () => false);
    return { y: copyId, u: up, r: rawValues };
  }
  const calls = [...tree.querySelectorAll(".call")];
  const levels = calls.map((call) => Number(call.getAttribute("aria-level")));
  for (const chunk of tree.children) chunk.style.setProperty("--rows", chunk.children.length);
  let current = Math.max(0, calls.findIndex((call) => call.ariaSelected === "true"));

  /** The index after the last call inside. */
  const end = (i) => {
    let j = i + 1;
    while (j < calls.length && levels[j] > levels[i]) j += 1;
    return j;
  };
  const above = (i) => {
    let j = i - 1;
    while (j >= 0 && levels[j] >= levels[i]) j -= 1;
    return j;
  };
  const fold = (i, folded) => {
    if (!calls[i].hasAttribute("aria-expanded")) return;
    calls[i].ariaExpanded = String(!folded);
    const after = end(i);
    for (let j = i + 1; j < after; j += 1) {
      calls[j].hidden = folded;
      // what was folded inside stays so
      if (!folded && calls[j].ariaExpanded === "false") j = end(j) - 1;
    }
    for (const chunk of tree.children) {
      const rows = [...chunk.children].filter((call) => !call.hidden).length;
      chunk.hidden = rows === 0;
      chunk.style.setProperty("--rows", rows);
    }
    if (calls[current].hidden) select(i);
  };
  const select = (i, { push = true, wait = 0 } = {}) => {
    if (i < 0 || i >= calls.length) return false;
    for (let j = above(i); j >= 0; j = above(j)) if (calls[j].ariaExpanded === "false") fold(j, false);
    calls[current].ariaSelected = "false";
    calls[current].tabIndex = -1;
    current = i;
    calls[i].ariaSelected = "true";
    calls[i].tabIndex = 0;
    calls[i].focus({ preventScroll: true });
    calls[i].scrollIntoView({ block: "nearest" });
    if (push) history.pushState(null, "", calls[i].href);
    clearTimeout(waiting);
    waiting = setTimeout(load, wait, calls[i].getAttribute("href"));
    return true;
  };
  const follow = (href) => select(calls.findIndex((call) => call.getAttribute("href") === href));
  const step = (by) => () => {
    let i = current + by;
    while (calls[i]?.hidden) i += by;
    select(i, { wait: PATIENCE });
  };
  const nextError = () => {
    const failed = calls.flatMap((call, i) => (call.classList.contains("failed") ? [i] : []));
    if (failed.length) select(failed.find((i) => i > current) ?? failed[0]);
    else say("No call failed");
  };
  const unfold = () => (calls[current].ariaExpanded === "true" ? step(1)() : fold(current, false));
  const foldOrUp = () => (calls[current].ariaExpanded === "true" ? fold(current, true) : select(above(current)));

  tree.addEventListener("click", (event) => {
    const call = event.target.closest(".call");
    if (!call || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const i = calls.indexOf(call);
    if (event.target.closest("i") && call.hasAttribute("aria-expanded")) fold(i, call.ariaExpanded === "true");
    else select(i);
  });
  addEventListener("popstate", () => {
    select(calls.findIndex((call) => call.href === location.href), { push: false });
  });
  bindPane(pane, follow);
  const zoom = bindTimeline(tree, () => calls[current]);
  calls[current].scrollIntoView({ block: "nearest" });
  const enter = () => {
    pane.focus();
    pane.scrollIntoView({ block: "nearest" });
  };
  return {
    j: step(1), ArrowDown: step(1), k: step(-1), ArrowUp: step(-1), ArrowRight: unfold, ArrowLeft: foldOrUp,
    e: nextError, u: () => select(above(current)) || up(), y: copyId, r: rawValues, ...zoom,
    Enter: () => (tree.contains(document.activeElement) ? enter() : false),
  };
}
