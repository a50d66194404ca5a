// The histogram and the facets of the list, which are fetched after the list has been painted.
import { bindBrush } from "./brush.js";
import { localTimes, parse } from "./common.js";

const wide = matchMedia("(min-width: 1400px)");
const isOpen = () => (document.documentElement.dataset.facets ?? (wide.matches ? "open" : "closed")) === "open";

export async function bindFacets() {
  const body = document.querySelector("[data-facets]:not(html)");
  const toggle = document.querySelector("#facets-toggle");
  if (!body || !toggle) return;
  const show = () => toggle.setAttribute("aria-expanded", String(isOpen()));
  toggle.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const state = isOpen() ? "closed" : "open";
    document.documentElement.dataset.facets = state;
    localStorage.setItem("honeytrace-facets", state);
    show();
  });
  wide.addEventListener("change", show);
  show();
  const reply = await fetch(body.dataset.facets).catch(() => null);
  if (!reply?.ok) return;
  const found = parse(await reply.text()).querySelector("#facets");
  localTimes(found);
  body.prepend(...found.children);
  bindBrush(body);
  // The list counts no further than its first page needs.
  const { count } = found.dataset;
  const place = document.querySelector("#count");
  if (count && !place.dataset.exact) place.textContent = `${count} ${place.dataset.unit}${count === "1" ? "" : "s"}`;
}
