// Owns the rows of files this browser is sending. It must not decide anything: it draws what it is told, and reports clicks.
import { gettext, interpolate } from "./i18n.js";
import { leftInWords, sizeInWords, speedInWords } from "./words.js";

const KINDS = [
  [/^image\//, "image"],
  [/^video\//, "video"],
  [/^audio\//, "audio"],
  [/^text\/|pdf$/, "text"],
  [/zip|tar|compressed/, "archive"],
];

const iconFor = (type) => KINDS.find(([pattern]) => pattern.test(type))?.[1] ?? "file";

function factsOf(local, { kept, speed, secondsLeft }) {
  const size = sizeInWords(local.size);
  if (local.unbegun) return [size, gettext("not begun: choose it again")].join(" · ");
  if (local.failed) return [size, interpolate(gettext("stopped: %(why)s"), { why: local.why })].join(" · ");
  if (!local.started) return size;
  if (local.sent) return [size, gettext("arrived")].join(" · ");
  const parts = [interpolate(gettext("%(kept)s of %(total)s"), { kept: sizeInWords(kept), total: size })];
  if (local.paused) parts.push(gettext("paused"));
  else if (speed > 0) parts.push(speedInWords(speed), leftInWords(secondsLeft));
  return parts.join(" · ");
}

function pauseWords({ failed, paused, name }) {
  if (failed) return [gettext("Try again"), interpolate(gettext("Try again: %(name)s"), { name })];
  if (paused) return [gettext("Go on"), interpolate(gettext("Go on: %(name)s"), { name })];
  return [gettext("Pause"), interpolate(gettext("Pause: %(name)s"), { name })];
}
const pauseIcon = (local) => (local.failed ? "retry" : local.paused ? "play" : "pause");

// A thousand rows are drawn twice a second: only what changed may cost a layout.
const sayIn = (element, words) => element.textContent !== words && (element.textContent = words);

export class Rows {
  #list;
  #template;
  #icons;
  #rows = new Map();

  /** `onPause(id)` and `onRemove(id)` are called with a local's id. */
  constructor({ list, template, icons, onPause, onRemove }) {
    this.#list = list;
    this.#template = template;
    this.#icons = icons;
    list.addEventListener("click", (event) => {
      const id = event.target.closest("li")?.dataset.local;
      if (event.target.closest("[data-pause]")) onPause(id);
      if (event.target.closest("[data-remove]")) onRemove(id);
    });
  }

  /** Draws every local file; `figuresOf(local)` gives {kept, speed, secondsLeft}. */
  draw(locals, figuresOf) {
    const gone = new Set(this.#rows.keys());
    for (const local of locals) {
      gone.delete(local.id);
      this.#fill(this.#rows.get(local.id) ?? this.#add(local), local, figuresOf(local));
    }
    for (const id of gone) this.#drop(id);
  }

  #add(local) {
    const row = this.#template.content.firstElementChild.cloneNode(true);
    row.dataset.local = local.id;
    row.querySelector("[data-name]").textContent = local.name;
    row.querySelector("[data-folder]").textContent = local.folder ? `${local.folder}/` : "";
    row.querySelector("[data-remove]").setAttribute("aria-label", interpolate(gettext("Remove %(name)s"), local));
    row.querySelector(".file__icon use").setAttribute("href", `${this.#icons}#${iconFor(local.type)}`);
    this.#list.append(row);
    this.#rows.set(local.id, row);
    return row;
  }

  #fill(row, local, figures) {
    row.classList.toggle("file--failed", local.failed);
    row.classList.toggle("file--paused", local.paused);
    sayIn(row.querySelector("[data-facts]"), factsOf(local, figures));
    const button = row.querySelector("[data-pause]");
    button.hidden = !local.started || local.sent;
    const [title, label] = pauseWords(local);
    button.setAttribute("aria-label", label);
    button.title = title;
    button.querySelector("use").setAttribute("href", `${this.#icons}#${pauseIcon(local)}`);
    row.querySelector(".file__bar").hidden = !local.started;
    row.querySelector(".file__share").style.setProperty("--share", local.size ? figures.kept / local.size : Number(local.sent));
  }

  /** A removed row hands the focus on, so that the keyboard does not fall back to the top of the page. */
  #drop(id) {
    const row = this.#rows.get(id);
    const focused = row.contains(document.activeElement);
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    this.#rows.delete(id);
    if (focused) next?.querySelector("[data-remove]")?.focus();
  }
}
