// Owns the form of choices: what it says when folded, what it gives when sent. It must not send anything itself.
import { choicesInWords, filesInWords, sizeInWords } from "./words.js";

export class Choices {
  #form;

  /** `onSend(choices)` gets {title, message, expires_days, password, download_limit}. */
  constructor(form, onSend) {
    this.#form = form;
    form.addEventListener("input", () => this.#summarise());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      // A field that is refused must be seen to be mended.
      if (!form.checkValidity()) form.querySelector("details").open = true;
      if (form.reportValidity()) onSend(this.values);
    });
    this.#summarise();
  }

  get values() {
    const field = (name) => this.#form.elements[name].value.trim();
    return {
      title: field("title"),
      message: field("message"),
      expires_days: Number(field("expires_days")),
      password: this.#form.elements.password.value,
      download_limit: field("download_limit") ? Number(field("download_limit")) : null,
    };
  }

  draw({ visible, files, total, busy }) {
    this.#form.hidden = !visible;
    const button = this.#form.querySelector("[type=submit]");
    button.disabled = busy;
    button.textContent = busy ? "One moment" : `Send ${filesInWords(files)} · ${sizeInWords(total)}`;
  }

  #summarise() {
    const { expires_days: days, password, download_limit: downloadLimit } = this.values;
    this.#form.querySelector("[data-summary]").textContent = choicesInWords({ days, password, downloadLimit });
  }
}
