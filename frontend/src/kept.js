// Owns what this browser keeps of a transfer's files until they are sent: what they were, and how to read them again.
// It must not send them. Where IndexedDB is missing or full nothing is kept, and nothing fails.
//
// record: {token, key, name, folder, size, type, lastModified, handle?, root?, blob?}

const NAME = "spillway";
const STORE = "files";
const SMALL_BYTES = 10 * 1024 ** 2;
const SMALL_TOGETHER_BYTES = 50 * 1024 ** 2;

/** What two looks at the same file have in common. */
export const keyOf = ({ name, folder, size }) => JSON.stringify([folder ?? "", name, size]);

/** The record of a pick. Its bytes are not in it: `withSmallFiles` decides. */
export function recordOf(token, { file, folder, handle, root }) {
  const { name, size, type, lastModified } = file;
  return { token, key: keyOf({ name, folder, size }), name, folder, size, type, lastModified, handle, root };
}

/** The records, with the bytes of small files that could not be read again otherwise, as far as there is room. */
export function withSmallFiles(records, files, usedBytes) {
  let room = SMALL_TOGETHER_BYTES - usedBytes;
  return records.map((record, at) => {
    if (record.handle || record.size > Math.min(SMALL_BYTES, room)) return record;
    room -= record.size;
    return { ...record, blob: files[at] };
  });
}

const finished = (request) =>
  new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });

const committed = (transaction) =>
  new Promise((done, failed) => {
    transaction.oncomplete = () => done();
    transaction.onerror = transaction.onabort = () => failed(transaction.error);
  });

export class Kept {
  #opening;

  /** Keeps how to read these picks again. */
  async keep(token, picks) {
    const records = picks.map((pick) => recordOf(token, pick));
    const used = (await this.#all()).reduce((bytes, { blob }) => bytes + (blob?.size ?? 0), 0);
    const files = picks.map(({ file }) => file);
    try {
      await this.#put(withSmallFiles(records, files, used));
    } catch {
      // No room for bytes, or handles cannot be stored here: what the files were is still worth knowing.
      await this.#put(records.map(({ handle, root, ...plain }) => plain)).catch(() => {});
    }
  }

  /** The records of one transfer. */
  async of(token) {
    return (await this.#all()).filter((record) => record.token === token);
  }

  async drop(token, keys) {
    await this.#change((store) => keys.forEach((key) => store.delete([token, key])));
  }

  /** Forgets every transfer but these. */
  async dropAllBut(tokens) {
    const others = (await this.#all()).filter(({ token }) => !tokens.includes(token));
    await this.#change((store) => others.forEach(({ token, key }) => store.delete([token, key])));
  }

  async #put(records) {
    const transaction = (await this.#open()).transaction(STORE, "readwrite");
    for (const record of records) transaction.objectStore(STORE).put(record);
    await committed(transaction);
  }

  async #change(work) {
    try {
      const transaction = (await this.#open()).transaction(STORE, "readwrite");
      work(transaction.objectStore(STORE));
      await committed(transaction);
    } catch {
      // What stays here too long is dropped by a later page.
    }
  }

  async #all() {
    try {
      const transaction = (await this.#open()).transaction(STORE, "readonly");
      return await finished(transaction.objectStore(STORE).getAll());
    } catch {
      return [];
    }
  }

  #open() {
    this.#opening ??= new Promise((done, failed) => {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: ["token", "key"] });
      request.onsuccess = () => done(request.result);
      request.onerror = () => failed(request.error);
      request.onblocked = () => failed(new Error("blocked"));
    });
    return this.#opening;
  }
}
