// Select a period by dragging on a chart.

const SLACK = 5; // pixels: less is a click, which follows the link of a bar

export function bindBrush(root) {
  for (const chart of root.querySelectorAll("svg[data-brush]")) {
    const [start, end] = [chart.dataset.start, chart.dataset.end].map(Number);
    let from = null, mark = null, moved = false;
    const at = (event) => {
      const area = chart.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - area.left) / area.width));
    };
    const draw = (a, b) => {
      mark ??= chart.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "rect"));
      mark.setAttribute("class", "brush");
      for (const [name, value] of [["x", Math.min(a, b) * 100], ["width", Math.abs(b - a) * 100], ["y", 0], ["height", 100]]) {
        mark.setAttribute(name, value);
      }
    };
    const stop = () => {
      mark?.remove();
      from = mark = null;
    };
    chart.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      from = { x: event.clientX, at: at(event) };
      moved = false;
    });
    addEventListener("pointermove", (event) => {
      if (!from) return;
      moved ||= Math.abs(event.clientX - from.x) > SLACK;
      if (moved) draw(from.at, at(event));
    });
    addEventListener("pointerup", (event) => {
      if (!from) return;
      const [a, b] = [from.at, at(event)].sort((one, other) => one - other);
      stop();
      if (!moved) return;
      const address = new URL(chart.dataset.brush, location.origin);
      for (const [name, share] of [["since", a], ["until", b]]) {
        address.searchParams.set(name, new Date(start + (end - start) * share).toISOString());
      }
      location.assign(address);
    });
    // The bar under the pointer is a link, which a drag must not follow.
    chart.addEventListener("click", (event) => { if (moved) event.preventDefault(); }, true);
    chart.addEventListener("dragstart", (event) => event.preventDefault());
  }
}
