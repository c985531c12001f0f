// Owns that a menu closes by Escape, and by whatever is done elsewhere. Opening is the browser's own business.
const openMenus = () => document.querySelectorAll("details[data-menu][open]");

function closeBut(kept) {
  for (const menu of openMenus()) if (!menu.contains(kept)) menu.open = false;
}

export function watchMenus() {
  document.addEventListener("click", (event) => closeBut(event.target));
  document.addEventListener("focusin", (event) => closeBut(event.target));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of openMenus()) {
      menu.open = false;
      if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    }
  });
}
