// A session: the tree of calls, the timeline that zooms, and one call in detail beside them.
import { localTimes, parse, tick } from "./common.js";
import { copy } from "./copy.js";
import { follow } from "./live.js";
import { bindPane, load, rawValues } from "./pane.js";
import { bindTimeline } from "./timeline.js";
import { bindTree } from "./tree.js";

const PACE = 700; // milliseconds between two readings of a run under way

/** Reloads the page of a run under way, at a limited rate, and shows the new calls. */
function grow(tree, timeline) {
  const notice = document.querySelector("#arrived");
  if (!notice) return;
  let busy = false, again = false;
  const refresh = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const reply = await fetch(location.href);
      if (reply.ok) show(parse(await reply.text()));
    } catch {
      notice.hidden = false; // the server is away, or sent something else
    }
    setTimeout(() => {
      busy = false;
      if (again) refresh();
      again = false;
    }, PACE);
  };
  const show = (newer) => {
    const rows = newer.querySelector("#tree");
    if (!tree || !rows) {
      if (rows) location.reload(); // there was one call, and now there is a tree
      else reload();
      return;
    }
    localTimes(newer);
    for (const part of [".timeline .facts"]) {
      document.querySelector(part).replaceWith(newer.querySelector(part));
    }
    timeline.adopt(newer.querySelector("[data-axis]"));
    tree.adopt(rows);
    tick();
    reload();
  };
  // The call beside the tree is reloaded while it runs, and once after it has ended.
  const reload = () => {
    const detail = document.querySelector("#pane .detail");
    if (detail?.querySelector("header .running-for")) load(tree?.selected().getAttribute("href") ?? location.pathname, true);
  };
  notice.addEventListener("click", () => location.reload());
  follow(notice.dataset.live, { told: refresh, flooded: refresh });
}

const copyId = () => copy(document.querySelector("#copy-id"));
const up = () => document.querySelector("#pane [rel=up]")?.click();

export function bindSession() {
  const pane = document.querySelector("#pane");
  if (!pane) return {};
  const rows = document.querySelector("#tree");
  if (!rows) {
    grow(null, null);
    bindPane(pane, () => false);
    return { y: copyId, u: up, r: rawValues };
  }
  const tree = bindTree(rows);
  const timeline = bindTimeline(rows, tree.selected);
  grow(tree, timeline);
  bindPane(pane, tree.follow);
  const enter = () => {
    pane.focus();
    pane.scrollIntoView({ block: "nearest" });
  };
  return {
    ...tree.keys, ...timeline.keys, y: copyId, r: rawValues,
    u: () => tree.up() || up(),
    Enter: () => (rows.contains(document.activeElement) ? enter() : false),
  };
}
