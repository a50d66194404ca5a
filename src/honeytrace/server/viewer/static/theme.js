// Not a module, so that it runs before the first paint: the saved theme must not flash in late, nor the facets move the list.
const remembered = localStorage.getItem("honeytrace-theme");
if (remembered) document.documentElement.dataset.theme = remembered;
const facets = localStorage.getItem("honeytrace-facets");
if (facets) document.documentElement.dataset.facets = facets;
