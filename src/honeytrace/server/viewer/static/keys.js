// The keyboard: maps keys to the commands of the page.
import { switchTheme } from "./common.js";

const { root } = document.body.dataset; // the path under which the viewer is mounted
const places = { s: `${root}/`, o: `${root}/overview`, i: `${root}/issues`, c: `${root}/compare` };
let waiting = false;

function typing(target) {
  return target.closest("input, textarea, select, dialog") !== null;
}

function anywhere(key) {
  if (key === "?") document.querySelector("#help").showModal();
  else if (key === "t") switchTheme();
  else if (key === "/") document.querySelector(".find input")?.select();
  else return false;
  return true;
}

/** `commands` maps keys to functions; one that returns false leaves the key to the browser. */
export function bindKeys(commands) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (typing(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (waiting) {
      waiting = false;
      if (places[event.key]) location.href = places[event.key];
      return;
    }
    if (event.key === "g") waiting = true;
    else if (commands[event.key] ? commands[event.key](event) === false : !anywhere(event.key)) return;
    event.preventDefault();
  });
}
