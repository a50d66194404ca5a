// Not a module, so that it runs before the first paint: the saved theme must not flash in late.
const remembered = localStorage.getItem("honeytrace-theme");
if (remembered) document.documentElement.dataset.theme = remembered;
