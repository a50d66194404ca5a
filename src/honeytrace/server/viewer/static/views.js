// Views that were saved under a name: their addresses are kept in this browser.
import { say } from "./common.js";

const KEY = "honeytrace-views";

function saved() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

function draw(list) {
  const entries = Object.entries(saved());
  list.hidden = !entries.length;
  list.replaceChildren(...entries.map(([name, address]) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `${document.body.dataset.root}/?${address}`;
    link.textContent = name;
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "icon";
    remove.textContent = "×";
    remove.ariaLabel = `Forget the view ${name}`;
    remove.addEventListener("click", () => {
      const { [name]: _, ...rest } = saved();
      localStorage.setItem(KEY, JSON.stringify(rest));
      draw(list);
    });
    item.append(link, remove);
    return item;
  }));
}

export function bindViews() {
  const list = document.querySelector("#saved-views");
  if (!list) return;
  draw(list);
  document.querySelector("#save-view").addEventListener("submit", (event) => {
    const form = new FormData(event.target);
    const address = new URLSearchParams([...form].filter(([, value]) => value));
    localStorage.setItem(KEY, JSON.stringify({ ...saved(), [form.get("view")]: String(address) }));
    say("View saved in this browser");
  });
  // One menu is open at a time, and Escape closes it.
  const menus = [...document.querySelectorAll(".menus details")];
  for (const menu of menus) {
    menu.addEventListener("toggle", () => {
      if (menu.open) for (const other of menus) if (other !== menu) other.open = false;
    });
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  }
}
