// Owns the sender's page: it joins Uppy, the server's list, the basin, the rows and the link. Decisions lie in ledger.js.
import { secretFromAddress } from "./address.js";
import { Announcer } from "./announcer.js";
import { Basin } from "./basin.js";
import { Choices } from "./choices.js";
import { handedOver, leftBehind, phaseOf, remoteOf, unfinishedFor, unheld, waterLevel } from "./ledger.js";
import { LinkPanel } from "./link.js";
import { Pace } from "./pace.js";
import { hideHeld, remotesOf } from "./remotes.js";
import { Rows } from "./rows.js";
import { RefusedError, fileRemove, transferCreate, transferRemove } from "./transfer.js";
import { localsOf, nameForServer, uploaderCreate } from "./uploader.js";
import { filesInWords, standingInWords } from "./words.js";

const DRAW_EVERY_MS = 500;
const byId = (id) => document.getElementById(id);

class Workbench {
  constructor(root) {
    const { createUrl, tusUrl, note, icons, token, maxFileBytes, maxFiles } = root.dataset;
    this.root = root;
    this.createUrl = createUrl;
    this.transfer = token ? { token, secret: secretFromAddress() } : null;
    this.list = byId("remote-files");
    this.paces = new Map();
    this.total = new Pace();
    this.title = root.dataset.title;
    this.busy = false;
    const limits = { maxFileBytes: Number(maxFileBytes), maxFiles: Number(maxFiles) };
    this.uppy = uploaderCreate({ target: "#drop", tusUrl, note, limits });
    this.basin = new Basin(root);
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
    this.listen();
    if (this.transfer && !this.transfer.secret) return this.say("This address is incomplete: the part after # is the key to your transfer.");
    if (this.transfer) this.open();
    setInterval(() => this.draw(), DRAW_EVERY_MS);
    this.draw();
  }

  listen() {
    this.uppy.on("file-added", (file) => this.fileAdded(file));
    this.uppy.on("restriction-failed", (file, error) => this.say(error.message));
    for (const event of ["upload-success", "upload-error", "file-removed", "upload-pause"]) this.uppy.on(event, () => this.changed());
    this.basin.listen({
      pause: () => this.after(() => this.uppy.pauseAll()),
      resume: () => this.after(() => this.uppy.resumeAll()),
      retry: () => this.after(() => this.uppy.retryAll()),
      choose: () => this.root.querySelector(".uppy-Dashboard-input").click(),
    });
    byId("remove-transfer").addEventListener("click", () => this.removeTransfer());
    this.list.addEventListener("htmx:after:swap", () => this.looked());
    this.list.addEventListener("htmx:response:error", (event) => this.refused(event.detail.ctx.response.status));
    // A click on a row's remove button is a request of that row: the list is looked at again after it.
    this.list.addEventListener("htmx:after:request", (event) => event.target !== this.list && this.look());
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
    this.look();
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
      this.uppy.upload().catch(() => {});
    } catch (error) {
      this.sayRefusal(error);
    } finally {
      this.busy = false;
      this.draw();
    }
  }

  fileAdded(file) {
    this.say("");
    nameForServer(this.uppy, file);
    if (!this.transfer) return this.draw();
    const unfinished = unfinishedFor(file, this.remotes(), this.locals());
    if (unfinished) this.uppy.setFileState(file.id, { tus: { uploadUrl: new URL(unfinished.url, location.href).href } });
    // Files chosen together arrive one event at a time: one upload for all of them.
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.uppy.upload().catch(() => {}), 50);
  }

  pauseOne(id) {
    const local = this.locals().find((one) => one.id === id);
    this.after(() => (local.failed ? this.uppy.retryUpload(id).catch(() => {}) : this.uppy.pauseResume(id)));
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
    this.list.dispatchEvent(new Event("look"));
  }

  // The server's list has just been read.
  looked() {
    const remotes = this.remotes();
    for (const local of handedOver(this.locals(), remotes)) this.uppy.removeFile(local.id);
    const { token, secret } = this.transfer;
    for (const twin of leftBehind(remotes, this.locals())) fileRemove(token, twin.id, secret).catch(() => {});
    this.link.show(remotes[0]?.link);
    this.draw();
  }

  refused(status) {
    const words = { 403: "This address does not hold the right key to the transfer.", 404: "This transfer is not here any more.", 410: "This transfer has expired." };
    if (words[status]) this.say(words[status]);
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

  locals() {
    return localsOf(this.uppy);
  }

  remotes() {
    return remotesOf(this.list);
  }

  draw() {
    const now = performance.now();
    const [locals, remotes] = [this.locals(), this.remotes()];
    const { kept, total, share } = waterLevel(locals, remotes);
    const phase = this.phaseNow(locals, remotes, now);
    const missing = unheld(remotes, locals).filter((remote) => remote.state === "uploading").length;
    const files = locals.length + unheld(remotes, locals).filter((remote) => remote.state !== "rejected").length;
    const left = total - kept;
    const figures = { kept, total, files, missing, speed: this.total.speed, secondsLeft: this.total.secondsLeft(left) };
    this.phase = phase;
    this.basin.draw({ phase, share, name: this.title || filesInWords(files), sentence: standingInWords(phase, figures) });
    this.choices.draw({ visible: !this.transfer && locals.length > 0, files, total, busy: this.busy });
    this.rows.draw(locals, (local) => this.figuresOf(local, remotes, now));
    hideHeld(this.list, new Set(locals.map((local) => remoteOf(local, remotes)?.id)));
    this.list.toggleAttribute("data-busy", Boolean(this.transfer?.secret) && locals.some((local) => local.started));
    this.announcer.note(phase, remotes);
  }

  phaseNow(locals, remotes, now) {
    const phase = phaseOf(locals, remotes);
    if (phase !== "sending") {
      this.total.restart();
      return phase;
    }
    this.total.note(locals.reduce((bytes, local) => bytes + local.sentBytes, 0), now);
    return this.total.stalled(now) ? "stalled" : phase;
  }

  figuresOf(local, remotes, now) {
    const pace = this.paces.get(local.id) ?? this.paces.set(local.id, new Pace()).get(local.id);
    if (local.paused || local.failed) pace.restart();
    else pace.note(local.sentBytes, now);
    const kept = local.sent ? local.size : (remoteOf(local, remotes)?.offset ?? 0);
    return { kept, speed: pace.speed, secondsLeft: pace.secondsLeft(local.size - kept) };
  }
}

const root = byId("workbench");
if (root) new Workbench(root).start();
