// Owns what every page needs: dates in the reader's words, copying, looking again at lists that change, headers for htmx.
// It must not know about uploads.
import { watchCopyButtons } from "./copy.js";
import { sayTimes } from "./dates.js";
import { keepPlace } from "./language.js";
import { sendOurHeaders, watchLists } from "./lists.js";
import { watchMenus } from "./menu.js";

sendOurHeaders();
keepPlace();
watchMenus();
watchCopyButtons();

function whenReady() {
  sayTimes(document);
  watchLists();
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", whenReady);
else whenReady();
