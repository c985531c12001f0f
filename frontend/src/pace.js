// Owns how fast bytes flow and how long the rest will take. Pure: time comes in as an argument, in milliseconds.

const WINDOW_MS = 10_000;
const STALL_MS = 8_000;

export class Pace {
  #samples = [];
  #movedAtMs = 0;

  /** Notes how many bytes have been sent in all. A fall (a file was removed) starts the measure again. */
  note(bytes, nowMs) {
    const last = this.#samples.at(-1);
    if (last && bytes < last.bytes) this.#samples = [];
    if (!last || bytes !== last.bytes) this.#movedAtMs = nowMs;
    this.#samples.push({ bytes, atMs: nowMs });
    while (this.#samples.length > 2 && this.#samples[0].atMs < nowMs - WINDOW_MS) this.#samples.shift();
  }

  restart() {
    this.#samples = [];
  }

  /** Bytes per second over the last ten seconds; 0 until there are two samples half a second apart. */
  get speed() {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || last.atMs - first.atMs < 500) return 0;
    return ((last.bytes - first.bytes) * 1000) / (last.atMs - first.atMs);
  }

  secondsLeft(bytes) {
    return this.speed > 0 ? bytes / this.speed : Infinity;
  }

  /** True when nothing has moved for a while although it should. */
  stalled(nowMs) {
    return this.#samples.length > 0 && nowMs - this.#movedAtMs > STALL_MS;
  }
}
