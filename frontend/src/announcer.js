// Owns what is said aloud: changes of state, never percentages.

const SAID = { processing: "has arrived and is being checked", ready: "is ready", rejected: "was refused" };
const PHASES = {
  sending: "Sending.",
  stalled: "Waiting for the site.",
  paused: "Paused.",
  stuck: "Sending stopped.",
  waiting: "Some files are not complete.",
  ready: "Everything is ready. Your link can be copied.",
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
    const news = remotes.filter((remote) => SAID[remote.state] && this.#changed(remote)).map((one) => `${one.name} ${SAID[one.state]}.`);
    if (phase !== this.#phase && PHASES[phase]) news.push(PHASES[phase]);
    this.#phase = phase;
    for (const remote of remotes) this.#states.set(remote.id, remote.state);
    if (news.length) this.#region.textContent = news.slice(-4).join(" ");
  }

  #changed(remote) {
    return this.#states.has(remote.id) && this.#states.get(remote.id) !== remote.state;
  }
}
