// Owns how fast this page sends, file by file and in all, and whether it stands still. It must not touch the page.
import { Pace } from "./pace.js";

export class Measures {
  #paces = new Map();
  #total = new Pace();
  #durable = new Pace();
  #keptBefore = new Map();
  #handedOverBytes = 0;

  /** A file goes on from `offset`: what the server had before took no time and must not count as speed. */
  goesOn(id, offset) {
    this.#keptBefore.set(id, offset);
  }

  handedOver(local) {
    this.#handedOverBytes += this.#flowed(local);
  }

  forget(id) {
    this.#paces.delete(id);
  }

  /** The ledger's phase, or "stalled" if bytes should flow and do not. Call it at every drawing. */
  phaseAt(now, ledger) {
    if (ledger.phase !== "sending") {
      this.#total.restart();
      return ledger.phase;
    }
    const flowing = ledger.locals.reduce((bytes, local) => bytes + this.#flowed(local), 0);
    this.#total.note(this.#handedOverBytes + flowing, now);
    this.#durable.note(ledger.level.kept, now);
    return this.#total.stalled(now) && this.#durable.stalled(now) ? "stalled" : "sending";
  }

  /** {speed, secondsLeft} of everything. */
  whole({ kept, total }) {
    return { speed: this.#total.speed, secondsLeft: this.#total.secondsLeft(total - kept) };
  }

  /** {kept, speed, secondsLeft} of one file. */
  ofFile(local, ledger, now) {
    if (!this.#paces.has(local.id)) this.#paces.set(local.id, new Pace());
    const pace = this.#paces.get(local.id);
    if (local.paused || local.failed) pace.restart();
    else pace.note(this.#flowed(local), now);
    const kept = local.sent ? local.size : (ledger.remoteOf(local)?.offset ?? 0);
    if (pace.stalled(now)) return { kept, speed: 0, secondsLeft: Infinity };
    return { kept, speed: pace.speed, secondsLeft: pace.secondsLeft(local.size - kept) };
  }

  #flowed(local) {
    return Math.max(0, (local.sentBytes ?? 0) - (this.#keptBefore.get(local.id) ?? 0));
  }
}
