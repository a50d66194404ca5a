// Functions that several pages use.

const sameDay = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const otherDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const otherYear = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** Shows the server's UTC times in the reader's time zone. */
export function localTimes(root) {
  const now = new Date();
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const format =
      moment.toDateString() === now.toDateString() ? sameDay
      : moment.getFullYear() === now.getFullYear() ? otherDay : otherYear;
    element.textContent = format.format(moment);
    element.title = moment.toLocaleString(undefined, { dateStyle: "full", timeStyle: "medium" });
  }
}

/** Updates the durations of calls under way, in whole seconds. */
export function tick() {
  for (const element of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Number(element.dataset.since)) / 1000));
    const minutes = Math.floor(seconds / 60);
    element.textContent =
      seconds < 60 ? `${seconds} s`
      : minutes < 60 ? `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`
      : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
  }
}

/** Parses HTML of this server into nodes; scripts in it do not run. */
export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

let hiding;
/** Shows a message at the foot of the page, also for screen readers. */
export function say(text) {
  const place = document.querySelector("#said");
  place.textContent = text;
  place.classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => place.classList.remove("shown"), 1800);
}

export function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("honeytrace-theme", root.dataset.theme);
}

const AGAIN = 2000; // milliseconds between two readings of a page of the present

/** Keeps a part of a page that shows the present up to date, while the page is visible. */
export function keepCurrent() {
  const place = document.querySelector("[data-again]");
  if (!place) return;
  setInterval(async () => {
    if (document.hidden || place.contains(document.activeElement)) return;
    const reply = await fetch(place.dataset.again).catch(() => null);
    if (!reply?.ok) return;
    place.replaceChildren(...parse(await reply.text()).querySelector("[data-again]").children);
    tick();
  }, AGAIN);
}
