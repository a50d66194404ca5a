// The two views of a run: keys that switch between them, and to the raw text.

const visit = (selector) => () => {
  const link = document.querySelector(selector);
  if (!link) return false;
  location.href = link.href;
};

export function bindTranscript() {
  const tabs = document.querySelector(".tabs");
  if (!tabs) return {};
  const commands = { v: visit(".tabs a:not([aria-current])") };
  if (document.querySelector("[data-raw-page]")) commands.r = visit("[data-raw-page]");
  return commands;
}
