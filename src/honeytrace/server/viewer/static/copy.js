// Copying: the text is in the page, or is fetched from the address in the page.
import { say } from "./common.js";

async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Plain HTTP has no clipboard API, except on localhost.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

export async function copy(button) {
  try {
    const text = button.dataset.copyFrom
      ? await (await fetch(button.dataset.copyFrom)).text()
      : button.dataset.copy.replace("{origin}", location.origin);
    await write(text);
    say(`${button.dataset.what ?? button.textContent.trim()} copied`);
  } catch (error) {
    say(`Not copied: ${error.message}`);
  }
}

export function bindCopying() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-from]");
    if (button) copy(button);
  });
}
