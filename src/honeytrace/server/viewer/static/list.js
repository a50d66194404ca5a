// The list: rows that arrive while it is looked at, the keyboard, choosing two to compare.
import { localTimes, parse, say } from "./common.js";

const KEPT = 500; // rows; what scrolls off a list that is left open must not fill the memory

/** A row at its place by start, newest first; one that is there already is replaced. */
function place(rows, arrival) {
  const known = [...rows.children].find((row) => row.dataset.id === arrival.id);
  const row = parse(`<table><tbody>${arrival.html}</tbody></table>`).querySelector("tr");
  localTimes(row);
  row.classList.add("new");
  if (known) return known.replaceWith(row);
  const after = [...rows.children].find((each) => Number(each.dataset.start) <= arrival.start);
  rows.insertBefore(row, after ?? null);
  while (rows.children.length > KEPT) rows.lastElementChild.remove();
  document.querySelector(".nothing")?.remove();
}

/** A stream while the page is seen: a browser opens six connections to a server, tabs share them. */
function follow(rows) {
  const notice = document.querySelector("#live");
  notice.addEventListener("click", () => location.reload());
  let stream, reached = "";
  const open = () => {
    const address = new URL(rows.dataset.live, location.origin);
    if (reached) address.searchParams.set("after", reached);
    stream = new EventSource(address);
    stream.addEventListener("open", () => { document.body.dataset.live = "on"; });
    stream.addEventListener("message", (event) => {
      reached = event.lastEventId;
      for (const arrival of JSON.parse(event.data)) place(rows, arrival);
    });
    stream.addEventListener("place", (event) => { reached = event.lastEventId; });
    stream.addEventListener("gap", (event) => {
      reached = event.lastEventId;
      notice.hidden = false;
    });
    stream.addEventListener("error", () => {
      document.body.dataset.live = "off";
      // refused for good (too many streams, logged out): try again, but not at once
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => document.hidden || open(), 10_000);
    });
  };
  document.addEventListener("visibilitychange", () => {
    stream?.close();
    if (!document.hidden) open();
  });
  if (!document.hidden) open();
}

export function bindList() {
  const rows = document.querySelector("#rows");
  if (!rows) return {};
  if (rows.dataset.live) follow(rows);
  const links = () => [...rows.querySelectorAll(".name a")];
  const current = () => links().indexOf(document.activeElement);
  const step = (by) => () => {
    const all = links();
    all[Math.max(0, Math.min(all.length - 1, current() + by))]?.focus();
  };
  const choose = () => {
    const row = document.activeElement.closest(".row");
    row?.classList.toggle("chosen");
    const [a, b] = [...rows.querySelectorAll(".chosen")].map((each) => each.dataset.id);
    // the older one, lower in the list, is what the newer one is compared with
    if (b) location.href = `/compare?${new URLSearchParams({ a: b, b: a })}`;
    else if (a) say("Chosen: press x on another one to compare");
  };
  const filters = document.querySelector("#filters");
  filters.querySelector("form").addEventListener("formdata", (event) => {
    // the address says what is asked, not what is not
    for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
  });
  const focusFilters = () => { filters.open = true; filters.querySelector("select").focus(); };
  filters.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    filters.open = false;
    filters.querySelector("summary").focus();
  });
  return { j: step(1), ArrowDown: step(1), k: step(-1), ArrowUp: step(-1), x: choose, f: focusFilters, Enter: () => false };
}
