// Owns the sender's page: it joins Uppy, the server's list, the basin, the rows and the link. Decisions lie in ledger.js.
import { secretFromAddress } from "./address.js";
import { Announcer } from "./announcer.js";
import { Basin } from "./basin.js";
import { Choices } from "./choices.js";
import { WaysIn } from "./dropping.js";
import { gettext } from "./i18n.js";
import { GuestChoices } from "./guest.js";
import { Intake } from "./intake.js";
import { Kept } from "./kept.js";
import { Ledger } from "./ledger.js";
import { LinkPanel } from "./link.js";
import { Looker } from "./looker.js";
import { Measures } from "./measures.js";
import { Memory, browserStorage } from "./memory.js";
import { Offer } from "./offer.js";
import { hideHeld, remotesOf } from "./remotes.js";
import { Rows } from "./rows.js";
import { RefusedError, fileRemove, refusalInWords, transferCreate, transferRemove } from "./transfer.js";
import { localsOf, uploaderCreate } from "./uploader.js";
import { heldTokens, holdTransfer } from "./windows.js";
import { filesInWords, standingInWords, windowTitle } from "./words.js";

const DRAW_EVERY_MS = 500;
// What would be lost, or stand still, if the page went away.
const UNDER_WAY = new Set(["sending", "stalled", "offline"]);

const byId = (id) => document.getElementById(id);

class Workbench {
  constructor(root) {
    const { createUrl, token, title } = root.dataset;
    this.root = root;
    this.createUrl = createUrl;
    this.transfer = token ? { token, secret: secretFromAddress() } : null;
    this.title = title;
    this.list = byId("remote-files");
    this.looker = new Looker(this.list);
    this.measures = new Measures();
    this.memory = new Memory(browserStorage());
    this.kept = new Kept();
    this.asked = new Set();
    this.busy = false;
    this.furnish(root.dataset);
  }

  furnish({ tusUrl, icons, maxFileBytes, maxTransferBytes, maxFiles }) {
    const limits = { maxFileBytes: Number(maxFileBytes), maxTransferBytes: Number(maxTransferBytes), maxFiles: Number(maxFiles) };
    this.uppy = uploaderCreate({ tusUrl, limits });
    this.intake = new Intake(this.uppy, this.kept, {
      ledger: () => this.ledger(),
      goesOn: (id, offset) => this.measures.goesOn(id, offset),
      replace: (remote) => this.removeOnce(remote.id),
      say: (message) => this.say(message),
      changed: () => this.changed(),
    });
    this.waysIn = new WaysIn({ root: this.root, most: limits.maxFiles, take: (found) => this.take(found) });
    this.basin = new Basin(this.root);
    this.link = new LinkPanel();
    this.announcer = new Announcer(byId("announcer"));
    const Kind = byId("choices").dataset.guest === undefined ? Choices : GuestChoices;
    this.choices = new Kind(byId("choices"), (choices) => this.send(choices));
    this.rows = new Rows({
      list: byId("local-files"),
      template: byId("file-row"),
      icons,
      onPause: (id) => this.pauseOne(id),
      onRemove: (id) => this.removeOne(id),
    });
  }

  start() {
    this.listenToUppy();
    this.listenToPage();
    this.root.toggleAttribute("data-keyless", this.keyless);
    if (this.transfer) this.open();
    else this.offer();
    setInterval(() => this.draw(), DRAW_EVERY_MS);
    this.draw();
  }

  listenToUppy() {
    const changed = () => this.changed();
    this.uppy.on("restriction-failed", (file, error) => this.say(error.message));
    this.uppy.on("file-removed", (file) => this.measures.forget(file.id));
    for (const event of ["upload-success", "upload-error", "file-removed", "upload-pause"]) this.uppy.on(event, changed);
  }

  listenToPage() {
    this.basin.listen({
      pause: () => this.after(() => this.uppy.pauseAll()),
      resume: () => this.after(() => this.uppy.resumeAll()),
      retry: () => this.after(() => this.uppy.retryAll().catch(() => {})),
      regain: () => this.intake.ask(),
      choose: () => this.waysIn.choose(),
    });
    byId("remove-transfer").addEventListener("click", () => this.removeTransfer());
    this.list.addEventListener("htmx:after:swap", () => this.looked());
    this.list.addEventListener("htmx:response:error", (event) => this.lookRefused(event.detail.ctx.response.status));
    this.list.addEventListener("htmx:after:request", (event) => this.rowAsked(event.target));
    window.addEventListener("online", () => this.backOnline());
    window.addEventListener("offline", () => this.draw());
    window.addEventListener("beforeunload", (event) => UNDER_WAY.has(this.phase) && event.preventDefault());
  }

  async offer() {
    this.intake.serverIsKnown();
    this.kept.dropAllBut(this.memory.all.map(({ token }) => token));
    await new Offer(byId("unfinished"), this.memory).show(await heldTokens());
  }

  // Whose account or browser sent the transfer may see and remove its files; adding some takes the key in the address.
  get keyless() {
    return Boolean(this.transfer) && !this.transfer.secret;
  }

  take(found) {
    if (this.keyless) this.say(gettext("This address is incomplete: the part after # is the key to your transfer."));
    else this.intake.take(found);
  }

  // A transfer exists: from now on files are sent as they are chosen.
  open() {
    const { token, secret } = this.transfer;
    this.uppy.setMeta({ transfer: secret });
    const address = `/m/${token}/files`;
    if (this.list.getAttribute("hx-get") !== address) {
      this.list.setAttribute("hx-get", address);
      window.htmx.process(this.list);
    }
    this.link.show(new URL(`/t/${token}`, location.href).href);
    byId("keep").hidden = false;
    byId("unfinished").hidden = true;
    if (this.keyless) return;
    this.remembered = this.intake.belongsTo(token);
    holdTransfer(token, (elsewhere) => {
      this.elsewhere = elsewhere;
      this.regain();
    });
  }

  // Once the list is there and no other window sends: files that can be read without the person's help go on.
  async regain() {
    await this.remembered;
    if (this.seen && this.elsewhere === false) await this.intake.regain();
    else this.draw();
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
      this.seen = true;
      byId("basin-title").focus();
      this.uppy.upload().catch(() => {});
    } catch (error) {
      this.sayRefusal(error);
    } finally {
      this.busy = false;
      this.draw();
    }
  }

  pauseOne(id) {
    const { failed } = localsOf(this.uppy).find((local) => local.id === id);
    this.after(() => (failed ? this.uppy.retryUpload(id).catch(() => {}) : this.uppy.pauseResume(id)));
  }

  removeOne(id) {
    const { locals, unbegun } = this.ledger();
    this.intake.forget([...locals, ...unbegun].find((one) => one.id === id));
    if (this.uppy.getFile(id)) this.uppy.removeFile(id);
    this.changed();
  }

  async removeTransfer() {
    if (!window.confirm(gettext("Remove the whole transfer? The link stops working, and its files are deleted."))) return;
    try {
      this.uppy.cancelAll();
      await transferRemove(this.transfer.token, this.transfer.secret);
      this.memory.forget(this.transfer.token);
      location.assign("/");
    } catch (error) {
      this.sayRefusal(error);
    }
  }

  // Uppy goes on by itself with what waits for its next try; what had used up its tries is tried again.
  backOnline() {
    for (const { id, failed, refused } of localsOf(this.uppy)) if (failed && !refused) this.uppy.retryUpload(id).catch(() => {});
    this.changed();
  }

  after(action) {
    action();
    this.changed();
  }

  changed() {
    this.draw();
    if (this.transfer) this.looker.look();
  }

  // The server's list has just been read.
  looked() {
    const ledger = this.ledger();
    for (const local of ledger.handedOver) {
      this.measures.handedOver(local);
      this.intake.forget(local);
      this.uppy.removeFile(local.id);
    }
    for (const twin of ledger.leftBehind) this.removeOnce(twin.id);
    this.link.show(ledger.remotes[0]?.link);
    this.intake.serverIsKnown();
    if (!this.seen && !this.keyless) {
      this.seen = true;
      this.regain();
    }
    this.draw();
  }

  // A click on a row's remove button is a request of that row: the list is looked at again after it.
  rowAsked(element) {
    if (element === this.list) return;
    const row = element.closest("li[data-id]");
    const remote = row && remotesOf(this.list).find(({ id }) => id === row.dataset.id);
    if (remote) this.intake.forget(remote);
    this.looker.look();
  }

  // Anything else than these passes by itself: the next look asks again.
  lookRefused(status) {
    const words = refusalInWords(status);
    if (!words) return;
    this.memory.forget(this.transfer.token);
    this.say(words);
  }

  removeOnce(fileId) {
    if (this.asked.has(fileId)) return;
    this.asked.add(fileId);
    fileRemove(this.transfer.token, fileId, this.transfer.secret).catch(() => this.asked.delete(fileId));
  }

  // Only what the server says is for people; a mistake of this script is for its console.
  sayRefusal(error) {
    if (!(error instanceof RefusedError)) throw error;
    if (!error.field || !this.choices.refuse(error.field, error.message)) this.say(error.message);
  }

  say(message) {
    const notice = byId("notice");
    notice.textContent = message ?? "";
    notice.hidden = !message;
  }

  ledger() {
    return new Ledger(localsOf(this.uppy), remotesOf(this.list), this.intake.expected);
  }

  draw() {
    const now = performance.now();
    const ledger = this.ledger();
    const { locals, remotes, fileCount: files, level } = ledger;
    this.phase = this.phaseAt(now, ledger);
    const sentence = standingInWords(this.phase, { ...level, files, missing: ledger.missing, ...this.measures.whole(level) });
    const name = this.title || filesInWords(files);
    this.basin.draw({ phase: this.phase, share: level.share, name, sentence });
    if (this.transfer) document.title = windowTitle(this.phase, level.share, name);
    this.choices.draw({ visible: !this.transfer && locals.length > 0, files, total: level.total, busy: this.busy });
    this.rows.draw([...locals, ...ledger.unbegun], (local) => this.measures.ofFile(local, ledger, now));
    hideHeld(this.list, ledger.heldIds);
    const moves = this.phase === "elsewhere" || locals.some((local) => local.started);
    this.list.toggleAttribute("data-busy", Boolean(this.transfer) && moves);
    this.announcer.note(this.phase, remotes);
    if (this.transfer && this.seen) this.memory.follow({ ...this.transfer, title: this.title, files }, this.phase);
  }

  // The ledger knows the files; what the line and other windows do comes on top.
  phaseAt(now, ledger) {
    const phase = this.measures.phaseAt(now, ledger);
    if (!navigator.onLine && ["sending", "stalled", "stuck"].includes(phase)) return "offline";
    if (phase !== "waiting") return phase;
    if (this.elsewhere) return "elsewhere";
    return this.intake.askable.length ? "askable" : "waiting";
  }
}

const root = byId("workbench");
if (root) new Workbench(root).start();
