// The tree of calls: walking, folding, selecting, and adopting a newer state of a run under way.
import { say } from "./common.js";
import { load } from "./pane.js";

const PATIENCE = 90; // milliseconds: walking the tree with a held key must not load every call

let waiting;

/** Binds the tree. Returns the functions that the keys and the rest of the page use. */
export function bindTree(tree) {
  let calls = [], levels = [], current = 0;

  const index = () => {
    calls = [...tree.querySelectorAll(".call")];
    levels = calls.map((call) => Number(call.getAttribute("aria-level")));
    for (const chunk of tree.children) chunk.style.setProperty("--rows", chunk.children.length);
  };
  index();
  current = Math.max(0, calls.findIndex((call) => call.ariaSelected === "true"));

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
      // Calls that were folded inside stay folded.
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
  const at = (href) => calls.findIndex((call) => call.getAttribute("href") === href);

  /** Replaces the rows by those of a newer state; selection, folds and scrolling are kept. */
  const adopt = (newer) => {
    const selected = calls[current].getAttribute("href");
    const folded = calls.filter((call) => call.ariaExpanded === "false").map((call) => call.getAttribute("href"));
    const focused = tree.contains(document.activeElement);
    const top = tree.scrollTop;
    tree.replaceChildren(...newer.children);
    index();
    for (const call of calls) {
      call.ariaSelected = "false";
      call.tabIndex = -1;
    }
    current = Math.max(0, at(selected));
    calls[current].ariaSelected = "true";
    calls[current].tabIndex = 0;
    for (const href of folded) if (at(href) >= 0) fold(at(href), true);
    tree.scrollTop = top;
    if (focused) calls[current].focus({ preventScroll: true });
  };
  calls[current].scrollIntoView({ block: "nearest" });
  return {
    adopt, follow, selected: () => calls[current],
    keys: {
      j: step(1), ArrowDown: step(1), k: step(-1), ArrowUp: step(-1), ArrowRight: unfold, ArrowLeft: foldOrUp, e: nextError,
    },
    up: () => select(above(current)),
  };
}
