// Owns what is said aloud: changes of state, never percentages.
import { gettext, interpolate } from "./i18n.js";

const SAID = {
  processing: (name) => interpolate(gettext("%(name)s has arrived and is being checked."), { name }),
  ready: (name) => interpolate(gettext("%(name)s is ready."), { name }),
  rejected: (name) => interpolate(gettext("%(name)s was refused."), { name }),
};
const PHASES = {
  sending: () => gettext("Sending."),
  stalled: () => gettext("Waiting for the site."),
  offline: () => gettext("You are offline."),
  paused: () => gettext("Paused."),
  stuck: () => gettext("Sending stopped."),
  waiting: () => gettext("Some files are not complete."),
  askable: () => gettext("Some files are not complete."),
  ready: () => gettext("Everything is ready. Your link can be copied."),
};

export class Announcer {
  #region;
  #states = new Map();
  #phase = "";

  constructor(region) {
    this.#region = region;
  }

  /** Compares with the last time and says what is new; the first look at a file that was there already is silent. */
  note(phase, remotes) {
    const news = remotes.filter((remote) => SAID[remote.state] && this.#changed(remote)).map((one) => SAID[one.state](one.name));
    if (phase !== this.#phase && PHASES[phase]) news.push(PHASES[phase]());
    this.#phase = phase;
    for (const remote of remotes) this.#states.set(remote.id, remote.state);
    if (news.length) this.#region.textContent = news.slice(-4).join(" ");
  }

  #changed(remote) {
    return this.#states.has(remote.id) && this.#states.get(remote.id) !== remote.state;
  }
}
