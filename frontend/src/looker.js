// Owns when the server's list is read again because something has happened here. It must not read it itself.

// A thousand small files finish a thousand times a minute; the list is fetched at most this often for it.
const AT_MOST_EVERY_MS = 1000;

export class Looker {
  #list;
  #soon = null;
  #lookedAt = -Infinity;

  constructor(list) {
    this.#list = list;
  }

  /** Looks now, or as soon as the last look is long enough ago. */
  look() {
    if (this.#soon) return;
    const wait = Math.max(0, this.#lookedAt + AT_MOST_EVERY_MS - performance.now());
    this.#soon = setTimeout(() => {
      this.#soon = null;
      this.#lookedAt = performance.now();
      this.#list.dispatchEvent(new Event("look"));
    }, wait);
  }
}
