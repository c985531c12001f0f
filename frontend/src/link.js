// Owns the panel with the transfer's link: copy, e-mail, share, QR code.
import { generate } from "lean-qr";
import { gettext, interpolate } from "./i18n.js";

const byId = (id) => document.getElementById(id);

function mailAddress(url) {
  const subject = encodeURIComponent(gettext("Files for you"));
  const body = encodeURIComponent(interpolate(gettext("Here are the files:\n\n%(url)s\n"), { url }));
  return `mailto:?subject=${subject}&body=${body}`;
}

function toggleCode(button, canvas, url) {
  const opening = canvas.hidden;
  // Dark on light in either theme: some readers cannot take it the other way round.
  if (opening) generate(url).toCanvas(canvas, { on: [8, 61, 73, 255], off: [255, 255, 255, 255], pad: 3 });
  canvas.hidden = !opening;
  button.setAttribute("aria-expanded", String(opening));
}

export class LinkPanel {
  #url = "";

  constructor() {
    byId("link-qr").addEventListener("click", (event) => toggleCode(event.currentTarget, byId("link-qr-code"), this.#url));
    byId("link-share").addEventListener("click", () => navigator.share({ url: this.#url }).catch(() => {}));
    byId("link-address").addEventListener("focus", (event) => event.target.select());
  }

  /** Shows `url` (absolute); nothing happens when it is shown already. */
  show(url) {
    if (!url || url === this.#url) return;
    this.#url = url;
    byId("link-address").value = url;
    byId("link-mail").href = mailAddress(url);
    byId("link-share").hidden = typeof navigator.share !== "function";
    byId("link").hidden = false;
  }
}
