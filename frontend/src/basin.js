// Owns the water: the level, the figure, the sentence and the buttons over it. It must not decide what they say.

import { gettext } from "./i18n.js";

const BUTTONS = {
  sending: ["pause"],
  stalled: ["pause"],
  paused: ["resume"],
  stuck: ["retry"],
  waiting: ["choose"],
  askable: ["regain", "choose"],
};
const TITLES = { choose: () => gettext("Drop files here"), chosen: () => gettext("Ready to send"), ready: () => gettext("Ready") };
const WITHOUT_FIGURE = new Set(["choose", "chosen", "ready"]);

export class Basin {
  #root;
  #parts;

  constructor(root) {
    this.#root = root;
    const find = (selector) => root.querySelector(selector);
    this.#parts = { water: find(".basin__water"), title: find("[data-title]"), figure: find("#figure"), standing: find("#standing") };
    this.#parts.percent = find("[data-percent]");
    this.#parts.buttons = [...root.querySelectorAll("[data-do]")];
  }

  /** `share` 0..1 of all bytes that are durable on the server; `name` is what is under way. */
  draw({ phase, share, name, sentence }) {
    const { water, title, figure, percent, standing, buttons } = this.#parts;
    this.#root.dataset.phase = phase;
    water.style.setProperty("--level", share.toFixed(4));
    title.textContent = TITLES[phase]?.() ?? name;
    figure.hidden = WITHOUT_FIGURE.has(phase);
    percent.textContent = String(Math.floor(share * 100));
    if (standing.textContent !== sentence) standing.textContent = sentence;
    this.#showButtons(buttons, BUTTONS[phase] ?? []);
  }

  // A button that goes away under the keyboard hands the focus to the one that takes its place.
  #showButtons(buttons, names) {
    const focused = buttons.find((button) => button === document.activeElement);
    for (const button of buttons) button.hidden = !names.includes(button.dataset.do);
    if (focused?.hidden) (buttons.find((button) => !button.hidden) ?? this.#parts.title).focus();
  }

  /** `handlers`: {pause, resume, retry, regain, choose}. */
  listen(handlers) {
    for (const button of this.#parts.buttons) button.addEventListener("click", () => handlers[button.dataset.do]());
  }
}
