// Owns what becomes of picks (folders.js): they go into Uppy's hand, on with an unfinished upload where there is one, and
// are kept so that a later page can read them again. It must not draw.
import { gettext, interpolate } from "./i18n.js";
import { keyOf } from "./kept.js";
import { alike } from "./ledger.js";
import { askFor, pickOf, readiness, sameFile } from "./regain.js";
import { describe, folderOf } from "./uploader.js";

// Files chosen together arrive one event at a time: one upload for all of them.
const TOGETHER_MS = 50;

export class Intake {
  #uppy;
  #kept;
  #hooks;
  #picks = new WeakMap();
  #token = null;
  #known;
  #letIn;
  #soon;

  /** Files that an earlier page held and that are not sent: the ledger's `expected`. */
  expected = [];
  /** Those of them that a click would let this page read. */
  askable = [];

  /** `hooks`: {ledger(), goesOn(id, offset), replace(remote), say(message), changed()}. */
  constructor(uppy, kept, hooks) {
    this.#uppy = uppy;
    this.#kept = kept;
    this.#hooks = hooks;
    this.#known = new Promise((letIn) => (this.#letIn = letIn));
    uppy.on("file-added", (file) => this.#added(file));
  }

  /** From now on files belong to this transfer, and are sent as they come. */
  async belongsTo(token) {
    this.#token = token;
    const inHand = this.#uppy.getFiles().map((file) => this.#picks.get(file.data)).filter(Boolean);
    if (inHand.length) await this.#kept.keep(token, inHand);
    else this.expected = await this.#kept.of(token);
  }

  /** What the server has is known (or there is nothing to know): files can be taken in. */
  serverIsKnown() {
    this.#letIn();
  }

  async take({ picks, unreadable = 0 }) {
    await this.#known;
    for (const pick of picks) this.#picks.set(pick.file, pick);
    this.#hooks.say(unreadable ? gettext("Some of these files could not be read, and are left out.") : "");
    // What is refused is told through "restriction-failed".
    this.#uppy.addFiles(picks.map(describe));
    this.#hooks.changed();
  }

  /** Reads again what can be read without a question, and notes what a question would give. */
  async regain() {
    const { unbegun, unfinished } = this.#hooks.ledger();
    const wanted = this.expected.filter((record) => [...unbegun, ...unfinished].some((missing) => alike(missing, record)));
    const states = await Promise.all(wanted.map(readiness));
    const readable = wanted.filter((_, at) => states[at] === "now");
    const picks = (await Promise.all(readable.map(pickOf))).filter(Boolean);
    this.askable = wanted.filter((_, at) => states[at] === "ask");
    if (picks.length) await this.take({ picks });
    else this.#hooks.changed();
  }

  /** Asks for leave to read, within a click. What was denied has to be chosen again. */
  async ask() {
    await askFor(this.askable);
    await this.regain();
    this.askable = [];
    this.#hooks.changed();
  }

  /** A file is sent, or not wanted any more. */
  forget(file) {
    this.expected = this.expected.filter((record) => !alike(record, file));
    if (this.#token) this.#kept.drop(this.#token, [keyOf(file)]);
  }

  #added(file) {
    const named = { name: file.name, size: file.size, folder: folderOf(file) };
    if (this.#token) this.#goOnWith(file, named);
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => this.#begin(), TOGETHER_MS);
  }

  // A file that was written since is another one, whatever it is called: its bytes must not be added to the old ones.
  #goOnWith(file, named) {
    const unfinished = this.#hooks.ledger().unfinishedFor(named);
    if (!unfinished) return;
    const record = this.expected.find((one) => alike(one, named));
    if (record && !sameFile(record, file.data)) {
      this.#hooks.say(interpolate(gettext("%(name)s has changed since, so it is sent from the beginning."), named));
      return this.#hooks.replace(unfinished);
    }
    this.#hooks.goesOn(file.id, unfinished.offset);
    this.#uppy.setFileState(file.id, { tus: { uploadUrl: new URL(unfinished.url, location.href).href } });
  }

  async #begin() {
    this.#hooks.changed();
    if (!this.#token) return;
    // Failures are told file by file, through "upload-error".
    this.#uppy.upload().catch(() => {});
    const fresh = this.#uppy.getFiles().filter((file) => !file.progress.uploadComplete);
    await this.#kept.keep(this.#token, fresh.map((file) => this.#picks.get(file.data)).filter(Boolean));
  }
}
