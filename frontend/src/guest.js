// Owns the form of those who answer a request for files: they say who they are, and choose nothing. Like choices.js, it
// sends nothing itself.
import { gettext, interpolate } from "./i18n.js";
import { filesInWords, sizeInWords } from "./words.js";

export class GuestChoices {
  #form;

  /** `onSend(choices)` gets the JSON body of POST /r/<token>/transfers/: {sender_name, message}. */
  constructor(form, onSend) {
    this.#form = form;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (form.reportValidity()) onSend(this.values);
    });
  }

  get values() {
    const text = (name) => this.#form.elements[name].value.trim();
    return { sender_name: text("sender_name"), message: text("message") };
  }

  draw({ visible, files, total, busy }) {
    this.#form.hidden = !visible;
    const button = this.#form.querySelector("[type=submit]");
    button.disabled = busy;
    const words = interpolate(gettext("Send %(files)s · %(total)s"), { files: filesInWords(files), total: sizeInWords(total) });
    button.textContent = busy ? gettext("One moment") : words;
  }

  /** The page says a refusal in its own place; here is only the way to what is to be mended. */
  refuse(name) {
    this.#form.elements[name]?.focus();
    return false;
  }
}
