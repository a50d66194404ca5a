// The entry point of each page. Everything is bound by attributes of the page; nothing is inline.
import { bindKeys } from "./keys.js";
import { bindCopying } from "./copy.js";
import { keepCurrent, localTimes, switchTheme, tick } from "./common.js";
import { bindList } from "./list.js";
import { bindSession } from "./session.js";
import { bindBrush } from "./brush.js";
import { bindFacets } from "./facets.js";
import { bindTranscript } from "./transcript.js";
import { bindViews } from "./views.js";

localTimes(document);
tick();
setInterval(tick, 1000);
document.querySelector("[data-theme-toggle]").addEventListener("click", switchTheme);
document.querySelector("[data-help]").addEventListener("click", () => document.querySelector("#help").showModal());
bindCopying();
bindBrush(document);
bindFacets();
bindViews();
keepCurrent();
const commands = { ...bindList(), ...bindSession(), ...bindTranscript() };
bindKeys(commands);
