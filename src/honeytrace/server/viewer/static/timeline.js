// The timeline: the visible part is set by two numbers that the style of every bar uses.

const CLOSEST = 1e-5; // of the whole

function durationText(ms) {
  if (ms === 0) return "0";
  if (ms > 0 && ms < 0.0005) return "<1 µs";
  if (ms < 0.9995) return `${(ms * 1000).toFixed(0)} µs`;
  if (ms < 999.95) return `${ms.toFixed(1)} ms`;
  if (ms < 59_995) return `${(ms / 1000).toFixed(2)} s`;
  return `${Math.floor(ms / 60_000)} min ${String(Math.floor((ms % 60_000) / 1000)).padStart(2, "0")} s`;
}

/** `selected` returns the call to zoom to. Returns the zoom keys, and `adopt` for a newer axis. */
export function bindTimeline(tree, selected) {
  const axis = document.querySelector("[data-axis]");
  let whole = Number(axis.dataset.span);
  let from = 0, to = 1; // of the whole

  const show = (start, end) => {
    const width = Math.min(1, Math.max(CLOSEST, end - start));
    from = Math.max(0, Math.min(1 - width, start));
    to = from + width;
    tree.style.setProperty("--zoom", 1 / width);
    tree.style.setProperty("--from", from * 100);
    for (const [i, label] of [...axis.querySelectorAll("text")].entries()) {
      label.textContent = durationText((from + (width * i) / 4) * whole);
    }
  };
  const scale = (by, at = 0.5) => {
    const middle = from + (to - from) * at;
    show(middle - (middle - from) * by, middle + (to - middle) * by);
  };
  const all = () => show(0, 1);
  const toCall = () => {
    const bar = selected().querySelector("rect");
    const [x, width] = ["x", "width"].map((name) => parseFloat(bar.getAttribute(name)) / 100);
    show(x - width * 0.05, x + width * 1.05);
  };
  const zooms = { in: () => scale(0.5), out: () => scale(2), whole: all };
  document.querySelector(".zoom").addEventListener("click", (event) => zooms[event.target.dataset.zoom]?.());

  // A wheel with Ctrl (or two fingers) zooms at the pointer; a sideways wheel scrolls.
  tree.addEventListener("wheel", (event) => {
    const area = axis.getBoundingClientRect();
    if (event.ctrlKey) scale(Math.exp(event.deltaY / 200), (event.clientX - area.left) / area.width);
    else if (event.deltaX && to - from < 1) {
      const by = (event.deltaX / area.width) * (to - from);
      show(from + by, to + by);
    } else return;
    event.preventDefault();
  }, { passive: false });

  // Dragging on the axis zooms to the marked part.
  axis.addEventListener("pointerdown", (down) => {
    const area = axis.getBoundingClientRect();
    const place = (event) => from + (to - from) * Math.min(1, Math.max(0, (event.clientX - area.left) / area.width));
    const start = place(down);
    axis.setPointerCapture(down.pointerId);
    axis.addEventListener("pointerup", (up) => {
      const [a, b] = [start, place(up)].sort((one, other) => one - other);
      if (b - a > (to - from) * 0.01) show(a, b);
    }, { once: true });
  });
  axis.addEventListener("dblclick", all);
  /** Adopts the span of a newer state of the run. */
  const adopt = (newer) => {
    whole = Number(newer.dataset.span);
    show(from, to);
  };
  return { adopt, keys: { "+": zooms.in, "=": zooms.in, "-": zooms.out, "0": all, z: toCall } };
}
