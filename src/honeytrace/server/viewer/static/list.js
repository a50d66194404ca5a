// The list: live rows, the keyboard, and choosing two sessions to compare.
import { localTimes, parse, say, tick } from "./common.js";
import { follow } from "./live.js";

const KEPT = 500; // rows; a list that is left open must not fill the memory

/** Places a row by its start, newest first. An existing row is replaced, or removed if it does not
 * match the conditions any more. */
function place(rows, told) {
  const known = [...rows.children].find((row) => row.dataset.id === told.id);
  if (!told.html) return known?.remove();
  const row = parse(`<table><tbody>${told.html}</tbody></table>`).querySelector("tr");
  localTimes(row);
  // A run under way changes with each call inside, and must not flash all the time.
  if (!known || !row.querySelector(".running-for")) row.classList.add("new");
  if (known) {
    const focused = known.contains(document.activeElement);
    const chosen = known.classList.contains("chosen");
    row.classList.toggle("chosen", chosen);
    row.querySelector("[name=id]").checked = chosen;
    known.replaceWith(row);
    if (focused) row.querySelector("a").focus({ preventScroll: true });
    return;
  }
  const after = [...rows.children].find((each) => Number(each.dataset.start) <= told.start);
  // A session that started before all rows of this page belongs on an older page.
  if (!after && document.querySelector("[rel=next]")) return;
  rows.insertBefore(row, after ?? null);
  while (rows.children.length > KEPT) rows.lastElementChild.remove();
  document.querySelector(".nothing")?.remove();
}

export function bindList() {
  const rows = document.querySelector("#rows");
  if (!rows) return {};
  if (rows.dataset.live) {
    const notice = document.querySelector("#live");
    notice.addEventListener("click", () => location.reload());
    follow(rows.dataset.live, {
      told: (all) => {
        all.forEach((each) => place(rows, each));
        tick();
      },
      flooded: () => { notice.hidden = false; },
    });
  }
  const links = () => [...rows.querySelectorAll(".name a")];
  const current = () => links().indexOf(document.activeElement);
  const step = (by) => () => {
    const all = links();
    all[Math.max(0, Math.min(all.length - 1, current() + by))]?.focus();
  };
  const choose = () => {
    const row = document.activeElement.closest(".row");
    row?.classList.toggle("chosen");
    if (row) row.querySelector("[name=id]").checked = row.classList.contains("chosen");
    const [a, b] = [...rows.querySelectorAll(".chosen")].map((each) => each.dataset.id);
    // The older session, lower in the list, is the baseline of the comparison.
    if (b) location.href = `${document.body.dataset.root}/compare?${new URLSearchParams({ a: b, b: a })}`;
    else if (a) say("Chosen: press x on another one to compare");
  };
  rows.addEventListener("change", (event) => {
    event.target.closest(".row")?.classList.toggle("chosen", event.target.checked);
  });
  const filters = document.querySelector("#filters");
  for (const form of document.querySelectorAll(".menus form")) {
    form.addEventListener("formdata", (event) => {
      // The address contains only what is set, and the columns as one list.
      const given = [...event.formData].filter(([, value]) => value);
      const columns = given.filter(([name]) => name === "cols").map(([, value]) => value).join(",");
      for (const name of new Set(event.formData.keys())) event.formData.delete(name);
      for (const [name, value] of given) if (name !== "cols") event.formData.append(name, value);
      if (columns) event.formData.append("cols", columns);
    });
  }
  const focusFilters = () => { filters.open = true; filters.querySelector("select").focus(); };
  return { j: step(1), ArrowDown: step(1), k: step(-1), ArrowUp: step(-1), x: choose, f: focusFilters, Enter: () => false };
}
