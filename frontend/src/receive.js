// Owns what makes the recipient's pages quicker to use: how many files are chosen, and an archive that is fetched once it
// is ready. It must not be needed: without it the same forms and links work.
import { gettext, interpolate, ngettext } from "./i18n.js";

function sayChosen(form) {
  const boxes = [...document.querySelectorAll(`input[type=checkbox][form="${form.id}"]`)];
  const chosen = boxes.filter((box) => box.checked).length;
  const button = form.querySelector("[data-chosen]");
  button.hidden = chosen === 0;
  button.textContent = interpolate(ngettext("Download %(n)s chosen", "Download %(n)s chosen", chosen), { n: chosen });
  form.querySelector("[name=all]").classList.toggle("button--primary", chosen === 0);
  button.classList.toggle("button--primary", chosen > 0);
}

function watchChoice(form) {
  document.addEventListener("change", (event) => {
    if (event.target.form === form) sayChosen(form);
  });
  // A row that went took its choice along; going back to this page brings the old choices.
  document.addEventListener("htmx:after:swap", () => sayChosen(form));
  window.addEventListener("pageshow", () => sayChosen(form));
  sayChosen(form);
}

// Whoever waited for an archive on this page wanted it: it is fetched without another click, once.
function watchArchive(status) {
  if (!status.querySelector("[data-pending]")) return;
  document.addEventListener("htmx:after:swap", () => {
    const link = status.querySelector("a[data-fetch]");
    if (!link || status.dataset.fetched) return;
    status.dataset.fetched = "yes";
    link.click();
    link.querySelector("[data-label]").textContent = gettext("Download again");
  });
}

document.querySelectorAll("form[data-choose]").forEach(watchChoice);
document.querySelectorAll("[data-archive]").forEach(watchArchive);
