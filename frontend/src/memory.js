// Owns what this browser remembers of transfers it has not sent whole: where they are managed, never what is in them.
// It must not ask the server anything.

const KEY = "spillway.unfinished";
const MOST = 20;

const isEntry = (entry) => typeof entry?.token === "string" && typeof entry?.secret === "string";

export class Memory {
  #storage;
  #followed = 0;

  /** `storage` is localStorage or the like; without one (it may be forbidden) nothing is remembered. */
  constructor(storage) {
    this.#storage = storage;
  }

  /** The newest first: [{token, secret, title, files, startedAt}]. */
  get all() {
    try {
      const entries = JSON.parse(this.#storage.getItem(KEY) ?? "[]");
      return Array.isArray(entries) ? entries.filter(isEntry) : [];
    } catch {
      return [];
    }
  }

  find(token) {
    return this.all.find((entry) => entry.token === token);
  }

  /** Adds or changes one; more than twenty are not kept: the oldest is forgotten. */
  remember(entry) {
    const known = this.find(entry.token);
    const others = this.all.filter((other) => other.token !== entry.token);
    const startedAt = known?.startedAt ?? Date.now();
    this.#write([{ ...entry, startedAt }, ...others].slice(0, MOST));
  }

  /** Keeps up with the transfer a page shows: what is whole needs no way back. Nothing is written twice. */
  follow(entry, phase) {
    if (phase === "ready") return this.forget(entry.token);
    if (phase === "choose" || this.#followed === entry.files) return;
    this.#followed = entry.files;
    this.remember(entry);
  }

  forget(token) {
    this.#followed = 0;
    const left = this.all.filter((entry) => entry.token !== token);
    if (left.length < this.all.length) this.#write(left);
  }

  #write(entries) {
    try {
      this.#storage.setItem(KEY, JSON.stringify(entries));
    } catch {
      // Full or forbidden: the address of the page still leads back.
    }
  }
}

/** localStorage, if this browser lets us have it. */
export function browserStorage() {
  try {
    return globalThis.localStorage;
  } catch {
    return null;
  }
}
