// Owns what "My transfers" does beyond htmx: forms in a dialog, menus that close, words after a change. The lists and
// forms are the server's, and work without any of this.

const byId = (id) => document.getElementById(id);
const sheet = byId("sheet");
// The summary of the menu from which the dialog was opened: where the focus goes back to.
let opener = null;

const openMenus = () => document.querySelectorAll("details.menu[open]");

function closeMenus({ but = null, focus = false } = {}) {
  for (const menu of openMenus()) {
    if (menu.contains(but)) continue;
    menu.open = false;
    if (focus) menu.querySelector("summary").focus();
  }
}

function openSheet() {
  if (!sheet.childElementCount) return;
  opener = openMenus()[0]?.querySelector("summary").id ?? opener;
  closeMenus();
  byId("mine-refused").hidden = true;
  if (!sheet.open) sheet.showModal();
  sheet.querySelector("[aria-invalid=true], input:not([type=hidden]), textarea, button, a")?.focus();
}

function closeSheet() {
  sheet.replaceChildren();
  // The row may have gone with the change.
  (byId(opener ?? "") ?? byId("mine-title")).focus();
  opener = null;
}

// The list looks again at the very page it shows: what is open, filtered and scrolled to stays.
function changed({ said }) {
  opener ??= openMenus()[0]?.querySelector("summary").id ?? null;
  closeMenus();
  if (sheet.open) sheet.close();
  byId("mine-refused").hidden = true;
  byId("mine-said").textContent = said;
  byId("mine")?.dispatchEvent(new Event("look"));
}

function refused({ ctx }) {
  // What the form itself is to say is shown in it.
  if (ctx.response.status === 400 && sheet.open) return;
  const line = byId("mine-refused");
  line.textContent = line.dataset.text;
  line.hidden = false;
  if (sheet.open) sheet.close();
  closeMenus({ focus: true });
}

document.addEventListener("htmx:after:swap", (event) => event.target !== byId("mine") && openSheet());
document.addEventListener("htmx:response:error", (event) => refused(event.detail));
document.addEventListener("transfer-changed", (event) => changed(event.detail));
sheet.addEventListener("close", closeSheet);
document.addEventListener("click", (event) => {
  if (event.target.closest("#sheet [data-close]")) {
    event.preventDefault();
    sheet.close();
  }
  closeMenus({ but: event.target });
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !sheet.open) closeMenus({ focus: true });
});
