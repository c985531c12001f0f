// Owns the sender's page: it joins Uppy, the server's list, the basin, the rows and the link. Decisions lie in ledger.js.
import { secretFromAddress } from "./address.js";
import { Announcer } from "./announcer.js";
import { Basin } from "./basin.js";
import { Choices } from "./choices.js";
import { Ledger } from "./ledger.js";
import { LinkPanel } from "./link.js";
import { Pace } from "./pace.js";
import { hideHeld, remotesOf } from "./remotes.js";
import { Rows } from "./rows.js";
import { RefusedError, fileRemove, transferCreate, transferRemove } from "./transfer.js";
import { localsOf, nameForServer, uploaderCreate } from "./uploader.js";
import { filesInWords, standingInWords, windowTitle } from "./words.js";

const DRAW_EVERY_MS = 500;
// A thousand small files finish a thousand times a minute; the list is fetched at most this often for it.
const LOOK_AT_MOST_EVERY_MS = 1000;
const INCOMPLETE = "This address is incomplete: the part after # is the key to your transfer.";
const REFUSALS = {
  403: "This address does not hold the right key to the transfer.",
  404: "There is no transfer here, or this address does not hold its key.",
  410: "This transfer has expired.",
};

const byId = (id) => document.getElementById(id);

class Workbench {
  constructor(root) {
    const { createUrl, token, title } = root.dataset;
    this.root = root;
    this.createUrl = createUrl;
    this.transfer = token ? { token, secret: secretFromAddress() } : null;
    this.title = title;
    this.list = byId("remote-files");
    this.paces = new Map();
    this.total = new Pace();
    this.durable = new Pace();
    this.keptBefore = new Map();
    this.handedOverBytes = 0;
    this.asked = new Set();
    this.busy = false;
    this.furnish(root.dataset);
  }

  furnish({ tusUrl, note, icons, maxFileBytes, maxFiles }) {
    const limits = { maxFileBytes: Number(maxFileBytes), maxFiles: Number(maxFiles) };
    this.uppy = uploaderCreate({ target: "#drop", tusUrl, note, limits });
    this.basin = new Basin(this.root);
    this.link = new LinkPanel();
    this.announcer = new Announcer(byId("announcer"));
    this.choices = new Choices(byId("choices"), (choices) => this.send(choices));
    this.rows = new Rows({
      list: byId("local-files"),
      template: byId("file-row"),
      icons,
      onPause: (id) => this.pauseOne(id),
      onRemove: (id) => this.uppy.removeFile(id),
    });
  }

  start() {
    this.listenToUppy();
    this.listenToPage();
    if (this.transfer && !this.transfer.secret) return this.say(INCOMPLETE);
    if (this.transfer) this.open();
    setInterval(() => this.draw(), DRAW_EVERY_MS);
    this.draw();
  }

  listenToUppy() {
    const changed = () => this.changed();
    this.uppy.on("file-added", (file) => this.fileAdded(file));
    this.uppy.on("restriction-failed", (file, error) => this.say(error.message));
    this.uppy.on("file-removed", (file) => this.paces.delete(file.id));
    for (const event of ["upload-success", "upload-error", "file-removed", "upload-pause"]) this.uppy.on(event, changed);
  }

  listenToPage() {
    this.basin.listen({
      pause: () => this.after(() => this.uppy.pauseAll()),
      resume: () => this.after(() => this.uppy.resumeAll()),
      retry: () => this.after(() => this.uppy.retryAll().catch(() => {})),
      choose: () => this.root.querySelector(".uppy-Dashboard-input").click(),
    });
    byId("remove-transfer").addEventListener("click", () => this.removeTransfer());
    this.list.addEventListener("htmx:after:swap", () => this.looked());
    this.list.addEventListener("htmx:response:error", (event) => this.lookRefused(event.detail.ctx.response.status));
    // A click on a row's remove button is a request of that row: the list is looked at again after it.
    this.list.addEventListener("htmx:after:request", (event) => event.target !== this.list && this.look());
    // A file dropped beside the basin must not make the browser leave this page.
    for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
    window.addEventListener("beforeunload", (event) => this.phase === "sending" && event.preventDefault());
  }

  // A transfer exists: from now on files are sent as they are chosen.
  open() {
    this.uppy.setMeta({ transfer: this.transfer.secret });
    const address = `/m/${this.transfer.token}/files`;
    if (this.list.getAttribute("hx-get") !== address) {
      this.list.setAttribute("hx-get", address);
      window.htmx.process(this.list);
    }
    this.link.show(new URL(`/t/${this.transfer.token}`, location.href).href);
    byId("keep").hidden = false;
  }

  async send(choices) {
    if (this.busy) return;
    this.busy = true;
    this.say("");
    this.draw();
    try {
      const made = await transferCreate(this.createUrl, choices);
      this.transfer = { token: made.token, secret: made.secret };
      this.title = choices.title;
      // Before the first byte: a reload from here on finds the transfer again.
      history.replaceState(null, "", made.manage_url);
      this.open();
      byId("basin-title").focus();
      this.upload();
    } catch (error) {
      this.sayRefusal(error);
    } finally {
      this.busy = false;
      this.draw();
    }
  }

  // Failures are told file by file, through "upload-error".
  upload() {
    this.uppy.upload().catch(() => {});
  }

  fileAdded(file) {
    this.say("");
    nameForServer(this.uppy, file);
    if (!this.transfer) return this.draw();
    const unfinished = this.ledger().unfinishedFor(file);
    if (unfinished) this.goOnWith(file, unfinished);
    // Files chosen together arrive one event at a time: one upload for all of them.
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.upload(), 50);
  }

  goOnWith(file, unfinished) {
    this.keptBefore.set(file.id, unfinished.offset);
    this.uppy.setFileState(file.id, { tus: { uploadUrl: new URL(unfinished.url, location.href).href } });
  }

  pauseOne(id) {
    const { failed } = localsOf(this.uppy).find((local) => local.id === id);
    this.after(() => (failed ? this.uppy.retryUpload(id).catch(() => {}) : this.uppy.pauseResume(id)));
  }

  async removeTransfer() {
    if (!window.confirm("Remove the whole transfer? The link stops working, and its files are deleted.")) return;
    try {
      this.uppy.cancelAll();
      await transferRemove(this.transfer.token, this.transfer.secret);
      location.assign("/");
    } catch (error) {
      this.sayRefusal(error);
    }
  }

  after(action) {
    action();
    this.changed();
  }

  changed() {
    this.draw();
    if (this.transfer) this.look();
  }

  look() {
    if (this.looking) return;
    const wait = Math.max(0, (this.lookedAt ?? 0) + LOOK_AT_MOST_EVERY_MS - performance.now());
    this.looking = setTimeout(() => {
      this.looking = null;
      this.lookedAt = performance.now();
      this.list.dispatchEvent(new Event("look"));
    }, wait);
  }

  // The server's list has just been read.
  looked() {
    const ledger = this.ledger();
    for (const local of ledger.handedOver) {
      this.handedOverBytes += this.flowed(local);
      this.uppy.removeFile(local.id);
    }
    for (const twin of ledger.leftBehind) this.removeOnce(twin.id);
    this.link.show(ledger.remotes[0]?.link);
    this.draw();
  }

  // Anything else than these passes by itself: the next look asks again.
  lookRefused(status) {
    if (REFUSALS[status]) this.say(REFUSALS[status]);
  }

  removeOnce(fileId) {
    if (this.asked.has(fileId)) return;
    this.asked.add(fileId);
    fileRemove(this.transfer.token, fileId, this.transfer.secret).catch(() => this.asked.delete(fileId));
  }

  // Only what the server says is for people; a mistake of this script is for its console.
  sayRefusal(error) {
    if (!(error instanceof RefusedError)) throw error;
    this.say(error.message);
  }

  say(message) {
    const notice = byId("notice");
    notice.textContent = message ?? "";
    notice.hidden = !message;
  }

  ledger() {
    return new Ledger(localsOf(this.uppy), remotesOf(this.list));
  }

  draw() {
    const now = performance.now();
    const ledger = this.ledger();
    const { locals, remotes, fileCount: files } = ledger;
    const { kept, total, share } = ledger.level;
    this.phase = this.phaseAt(now, ledger);
    const pace = { speed: this.total.speed, secondsLeft: this.total.secondsLeft(total - kept) };
    const sentence = standingInWords(this.phase, { kept, total, files, missing: ledger.unfinished.length, ...pace });
    const name = this.title || filesInWords(files);
    this.basin.draw({ phase: this.phase, share, name, sentence });
    if (this.transfer) document.title = windowTitle(this.phase, share, name);
    this.choices.draw({ visible: !this.transfer && locals.length > 0, files, total, busy: this.busy });
    this.rows.draw(locals, (local) => this.figuresOf(local, ledger, now));
    hideHeld(this.list, ledger.heldIds);
    this.list.toggleAttribute("data-busy", Boolean(this.transfer) && locals.some((local) => local.started));
    this.announcer.note(this.phase, remotes);
  }

  phaseAt(now, ledger) {
    if (ledger.phase !== "sending") {
      this.total.restart();
      return ledger.phase;
    }
    const flowing = ledger.locals.reduce((bytes, local) => bytes + this.flowed(local), 0);
    this.total.note(this.handedOverBytes + flowing, now);
    this.durable.note(ledger.level.kept, now);
    return this.total.stalled(now) && this.durable.stalled(now) ? "stalled" : "sending";
  }

  // What this page has sent of a file: what the server had before took no time and must not count as speed.
  flowed(local) {
    return Math.max(0, local.sentBytes - (this.keptBefore.get(local.id) ?? 0));
  }

  figuresOf(local, ledger, now) {
    if (!this.paces.has(local.id)) this.paces.set(local.id, new Pace());
    const pace = this.paces.get(local.id);
    if (local.paused || local.failed) pace.restart();
    else pace.note(this.flowed(local), now);
    const kept = local.sent ? local.size : (ledger.remoteOf(local)?.offset ?? 0);
    if (pace.stalled(now)) return { kept, speed: 0, secondsLeft: Infinity };
    return { kept, speed: pace.speed, secondsLeft: pace.secondsLeft(local.size - kept) };
  }
}

const root = byId("workbench");
if (root) new Workbench(root).start();
