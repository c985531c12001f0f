// Owns the form of choices: what it says when folded, what it gives when sent, which field is refused and why.
// It must not send anything itself.
import { choicesInWords, addressesIn, dayAfter, endOfDay } from "./choosing.js";
import { gettext, interpolate } from "./i18n.js";
import { filesInWords, sizeInWords } from "./words.js";

// A date stands where the days stand: a refusal of either is told there.
const FIELD_OF = { expires_at: "expires_on", expires_days: "expires" };

export class Choices {
  #form;

  /** `onSend(choices)` gets the JSON body of POST /transfers/. */
  constructor(form, onSend) {
    this.#form = form;
    this.#limitDates();
    form.addEventListener("input", (event) => {
      this.#unmark(event.target);
      this.#summarise();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#check()) onSend(this.values);
    });
    this.#summarise();
  }

  get values() {
    const text = (name) => this.#form.elements[name]?.value.trim() ?? "";
    const ticked = (name) => Boolean(this.#form.elements[name]?.checked);
    const days = text("expires");
    return {
      title: text("title"),
      message: text("message"),
      ...(days === "date" ? { expires_at: endOfDay(text("expires_on")) } : { expires_days: Number(days) }),
      password: this.#form.elements.password.value,
      download_limit: text("download_limit") ? Number(text("download_limit")) : null,
      delete_after_download: ticked("delete_after_download"),
      notify_on_download: ticked("notify_on_download"),
      emails: addressesIn(text("emails")),
    };
  }

  draw({ visible, files, total, busy }) {
    this.#form.hidden = !visible;
    const button = this.#form.querySelector("[type=submit]");
    button.disabled = busy;
    const words = interpolate(gettext("Send %(files)s · %(total)s"), { files: filesInWords(files), total: sizeInWords(total) });
    button.textContent = busy ? gettext("One moment") : words;
  }

  /** Says at the field `name` of the request why it is refused; false if the form has no such field. */
  refuse(name, message) {
    const field = this.#form.elements[FIELD_OF[name] ?? name];
    if (!field) return false;
    this.#mark(field, message);
    this.#form.querySelector("details").open = true;
    field.focus();
    return true;
  }

  // Every field that cannot be right is told at once, and the first of them has the focus.
  #check() {
    const wrong = [...this.#form.elements].filter((field) => field.willValidate && !field.validity.valid);
    for (const field of wrong) this.#mark(field, field.validationMessage);
    if (wrong.length) this.#form.querySelector("details").open = true;
    wrong[0]?.focus();
    return wrong.length === 0;
  }

  #mark(field, message) {
    const line = document.getElementById(`${field.id}-error`);
    field.setAttribute("aria-invalid", "true");
    line.textContent = message;
    line.hidden = false;
  }

  #unmark(field) {
    const line = document.getElementById(`${field.id}-error`);
    if (!line || line.hidden) return;
    field.removeAttribute("aria-invalid");
    line.hidden = true;
  }

  #limitDates() {
    const date = this.#form.elements.expires_on;
    date.min = dayAfter(new Date(), 0);
    date.max = dayAfter(new Date(), Number(date.dataset.maxDays));
    date.value ||= dayAfter(new Date(), Math.min(7, Number(date.dataset.maxDays)));
  }

  #summarise() {
    const onDate = this.#form.elements.expires.value === "date";
    document.getElementById("field-expires-on").hidden = !onDate;
    this.#form.elements.expires_on.disabled = !onDate;
    this.#form.querySelector("[data-summary]").textContent = choicesInWords(this.values);
  }
}
