// One call in detail: loading it beside the tree, raw values, feedback.
import { localTimes, parse, say, tick } from "./common.js";

let loading;

/** Shows one call beside the tree; `again`: the same call, so the scroll position is kept. */
export async function load(address, again = false) {
  const pane = document.querySelector("#pane");
  loading?.abort();
  loading = new AbortController();
  pane.classList.toggle("loading", !again);
  try {
    const reply = await fetch(address.replace("/sessions/", "/detail/"), { signal: loading.signal });
    if (!reply.ok) throw new Error(reply.status === 404 ? "it is not stored" : reply.statusText);
    const content = parse(await reply.text());
    localTimes(content);
    pane.replaceChildren(content);
    if (!again) pane.scrollTop = 0;
    tick();
    document.title = `${pane.querySelector("h1").textContent} · honeytrace`;
  } catch (error) {
    if (error.name === "AbortError") return;
    say(`Not shown: ${error.message}`);
  }
  pane.classList.remove("loading");
}

/** Toggles between a value and its raw form. */
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
  // The reply redirects to the whole page, of which only the part for this call is used.
  const reply = await fetch(form.action, { method: "POST", body, redirect: "manual" });
  if (reply.type !== "opaqueredirect") {
    return say(parse(await reply.text()).querySelector(".lead")?.textContent ?? "Not saved");
  }
  await load(new URL(form.action).pathname);
  say("Feedback saved");
}

/** `follow` gets the address of a link to another call, and returns true if it shows that call. */
export function bindPane(pane, follow) {
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

/** Toggles between inputs and outputs and their raw forms. */
export const rawValues = () => {
  for (const link of document.querySelectorAll("#pane [data-raw]")) {
    if (/field=(inputs|outputs)$/.test(link.href)) toggleRaw(link);
  }
};
