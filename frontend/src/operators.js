// Owns what the admin's own templates and widgets leave out for those who hear a page: which part is the main one, and what
// parts that scroll by themselves, choosers and hints are called; and for those who use keys, what can be pressed.
const textOf = (element) => element?.textContent.trim();

/** Before the script that makes them scroll. */
function nameParts() {
  document.getElementById("main")?.setAttribute("role", "main");
  for (const part of document.querySelectorAll("[data-simplebar]")) {
    const heading = textOf(part.parentElement?.querySelector("h2, h3"));
    const label = part.id === "nav-sidebar-apps" ? document.title.split("|").pop().trim() : heading;
    if (label) part.setAttribute("data-simplebar-aria-label", label);
  }
}

/** Widgets make themselves when they like, and once more for each row that is added. */
function nameWidgets() {
  for (const shown of document.querySelectorAll("[id^=select2-][id$=-container]")) {
    const field = shown.id.slice("select2-".length, -"-container".length);
    const label = textOf(document.querySelector(`label[for="${field}"]`));
    if (label) shown.setAttribute("aria-label", label);
  }
  for (const hint of document.querySelectorAll("span.help-tooltip[aria-label]")) hint.setAttribute("role", "img");
}

/** What looks like a button there is a link that leads nowhere: no key reaches it. */
function makeButtons() {
  for (const link of document.querySelectorAll("a:not([href])")) {
    link.setAttribute("role", "button");
    link.tabIndex = 0;
    link.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      link.click();
    });
  }
}

document.addEventListener("DOMContentLoaded", () => {
  nameParts();
  makeButtons();
  new MutationObserver(nameWidgets).observe(document.body, { childList: true, subtree: true });
  nameWidgets();
});
