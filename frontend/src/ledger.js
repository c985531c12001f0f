// Owns what is known about every file of a transfer, from this browser and from the server: pairs, shares, the phase.
// Pure: it must not touch the page or the network.
//
// local:    {id, name, folder, size, url, started, paused, failed, sent}   a file this browser holds (sent: all bytes acknowledged)
// remote:   {id, name, folder, size, state, offset, url}                   a file the server knows (offset: bytes that are durable)
// expected: {name, folder, size, key}                                      a file this browser held before the page was loaded again

export class Ledger {
  #pairs = new Map();

  /** Pairs every local file with the remote one it is being written to, if the server lists it yet. */
  constructor(locals, remotes, expected = []) {
    this.locals = locals;
    this.remotes = remotes;
    this.expected = expected;
    const byAddress = new Map(remotes.filter((remote) => remote.url).map((remote) => [addressOf(remote.url), remote]));
    for (const local of locals) {
      const remote = (local.url && byAddress.get(addressOf(local.url))) || (local.sent && this.#finishedAs(local));
      if (remote) this.#pairs.set(local.id, remote);
    }
    this.heldIds = new Set([...this.#pairs.values()].map((remote) => remote.id));
    this.unheld = remotes.filter((remote) => !this.heldIds.has(remote.id));
  }

  remoteOf(local) {
    return this.#pairs.get(local.id);
  }

  /** Bytes that are durable, and bytes in all. `kept` never counts what was merely sent. */
  get level() {
    const others = this.#wanted;
    const keptHere = this.locals.map((local) => this.remoteOf(local)?.offset ?? 0);
    const keptThere = others.map((remote) => (remote.state === "uploading" ? remote.offset : remote.size));
    const total = sum([...this.locals, ...others, ...this.unbegun].map(sizeOf));
    const kept = Math.min(total, sum(keptHere) + sum(keptThere));
    return { kept, total, share: total ? kept / total : Number(this.#emptyFilesArrived) };
  }

  /** How things stand: choose | chosen | sending | paused | stuck | waiting | processing | ready. */
  get phase() {
    const arriving = this.locals.filter((local) => !local.sent);
    if (arriving.some((local) => local.started && !local.paused && !local.failed)) return "sending";
    if (arriving.some((local) => local.failed)) return "stuck";
    if (arriving.some((local) => local.paused)) return "paused";
    if (arriving.length) return "chosen";
    if (this.missing > 0) return "waiting";
    if (this.locals.length || this.#wanted.some((remote) => remote.state === "processing")) return "processing";
    return this.#wanted.length ? "ready" : "choose";
  }

  get fileCount() {
    return this.locals.length + this.#wanted.length + this.unbegun.length;
  }

  /** Files that were chosen before the page was loaded again, and of which the server has not heard; like locals. */
  get unbegun() {
    const heardOf = (one) => [...this.locals, ...this.remotes].some((known) => alike(known, one));
    const left = this.expected.filter((one) => !heardOf(one));
    return left.map(({ key, name, folder, size, type }) => ({ id: key, name, folder, size, type, unbegun: true }));
  }

  /** How many files have to be read again before the transfer can be whole. */
  get missing() {
    return this.unfinished.length + this.unbegun.length;
  }

  /** Uploads that stopped half way and that no file of this browser goes on with. */
  get unfinished() {
    return this.unheld.filter((remote) => remote.state === "uploading");
  }

  /** The unfinished upload that a freshly chosen file goes on with: the same name, size and folder. */
  unfinishedFor(file) {
    return this.unfinished.find((remote) => remote.url && alike(remote, file));
  }

  /** Local files whose bytes the server has taken over entirely: their rows give way to the server's own. */
  get handedOver() {
    return this.locals.filter((local) => local.sent && ![undefined, "uploading"].includes(this.remoteOf(local)?.state));
  }

  /**
   * Empty uploads left behind when the answer to their creation was lost and the client made a second one: same name and
   * size as a file that is now being written elsewhere, and not one byte. They would keep the transfer from being complete.
   */
  get leftBehind() {
    return this.unfinished.filter((remote) => {
      const twins = this.locals.filter((local) => alike(local, remote));
      // A twin that does not know its address yet may be the very file this upload was made for.
      return remote.offset === 0 && twins.length > 0 && twins.every((local) => this.remoteOf(local));
    });
  }

  // What is or will be part of the transfer, besides the files this browser holds.
  get #wanted() {
    return this.unheld.filter((remote) => remote.state !== "rejected");
  }

  get #emptyFilesArrived() {
    return this.remotes.length > 0 || this.locals.some((local) => local.sent);
  }

  // A finished upload may be gone from the server before this page has looked: then the file itself is recognised.
  #finishedAs(local) {
    return this.remotes.find((remote) => !remote.url && remote.state !== "uploading" && alike(remote, local));
  }
}

/** The same name and size in the same folder. */
export const alike = (one, other) => one.name === other.name && one.size === other.size && (one.folder ?? "") === (other.folder ?? "");

const sizeOf = (file) => file.size;
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

// One side may be absolute and the other a path.
const addressOf = (url) => url.replace(/^[a-z]+:\/\/[^/]+/i, "").replace(/\/+$/, "");
