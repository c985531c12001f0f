import assert from "node:assert/strict";
import test from "node:test";
import { Ledger } from "../src/ledger.js";

const local = (more) => ({ id: "l1", name: "a.mov", size: 100, url: "/files/1", started: true, paused: false, failed: false, sent: false, ...more });
const remote = (more) => ({ id: "r1", name: "a.mov", size: 100, state: "uploading", offset: 40, url: "/files/1", ...more });
const levelOf = (locals, remotes) => new Ledger(locals, remotes).level;
const phaseOf = (locals, remotes) => new Ledger(locals, remotes).phase;

test("the level counts durable bytes only", () => {
  assert.deepEqual(levelOf([local()], [remote()]), { kept: 40, total: 100, share: 0.4 });
});

test("a file the server does not list yet counts in the total and not in the level", () => {
  assert.deepEqual(levelOf([local({ url: null })], []), { kept: 0, total: 100, share: 0 });
});

test("an absolute upload address matches a path", () => {
  assert.equal(levelOf([local({ url: "https://files.example/files/1" })], [remote()]).total, 100);
});

test("a rejected file is not part of the level", () => {
  const ready = remote({ id: "r2", url: "/files/2", state: "ready", offset: 100 });
  assert.equal(levelOf([], [remote({ state: "rejected" }), ready]).share, 1);
});

test("a transfer of one empty file that has arrived is full", () => {
  assert.equal(levelOf([], [remote({ size: 0, offset: 0, state: "ready" })]).share, 1);
});

test("phases follow the files", () => {
  assert.equal(phaseOf([], []), "choose");
  assert.equal(phaseOf([local({ started: false, url: null })], []), "chosen");
  assert.equal(phaseOf([local()], [remote()]), "sending");
  assert.equal(phaseOf([local({ paused: true })], [remote()]), "paused");
  assert.equal(phaseOf([local({ failed: true })], [remote()]), "stuck");
  assert.equal(phaseOf([], [remote()]), "waiting");
  assert.equal(phaseOf([local({ sent: true })], [remote()]), "processing");
  assert.equal(phaseOf([], [remote({ state: "processing" })]), "processing");
  assert.equal(phaseOf([], [remote({ state: "ready" })]), "ready");
});

test("one paused file does not make a transfer paused while another is on its way", () => {
  assert.equal(phaseOf([local({ paused: true }), local({ id: "l2", url: "/files/2" })], [remote()]), "sending");
});

test("a transfer of refused files only asks for files again", () => {
  assert.equal(phaseOf([], [remote({ state: "rejected" })]), "choose");
});

test("a file chosen again goes on with the unfinished upload of the same name and size", () => {
  assert.equal(new Ledger([], [remote()]).unfinishedFor({ name: "a.mov", size: 100 }).id, "r1");
});

test("another size, another name or a held upload is not gone on with", () => {
  const ledger = new Ledger([], [remote()]);
  assert.equal(ledger.unfinishedFor({ name: "a.mov", size: 99 }), undefined);
  assert.equal(ledger.unfinishedFor({ name: "b.mov", size: 100 }), undefined);
  assert.equal(new Ledger([local()], [remote()]).unfinishedFor({ name: "a.mov", size: 100 }), undefined);
});

test("an empty twin of a file being written is left behind", () => {
  const twin = remote({ id: "r2", url: "/files/2", offset: 0 });
  assert.deepEqual(new Ledger([local()], [remote(), twin]).leftBehind, [twin]);
});

test("an empty upload may belong to a second file of the same name whose address is not known yet", () => {
  const second = local({ id: "l2", url: null });
  const twin = remote({ id: "r2", url: "/files/2", offset: 0 });
  assert.deepEqual(new Ledger([local(), second], [remote(), twin]).leftBehind, []);
});

test("an unfinished upload with bytes in it is never taken for left behind", () => {
  assert.deepEqual(new Ledger([local()], [remote(), remote({ id: "r2", url: "/files/2", offset: 7 })]).leftBehind, []);
});

test("a sent file is handed over once the server lists it as arrived", () => {
  const sent = local({ sent: true });
  assert.deepEqual(new Ledger([sent], [remote()]).handedOver, []);
  assert.deepEqual(new Ledger([sent], [remote({ state: "processing" })]).handedOver, [sent]);
});

test("a sent file is handed over even when its upload is already gone from the server", () => {
  const sent = local({ sent: true });
  assert.deepEqual(new Ledger([sent], [remote({ url: null, state: "ready" })]).handedOver, [sent]);
  assert.deepEqual(new Ledger([sent], [remote({ url: null, state: "ready", size: 7 })]).handedOver, []);
});

test("a thousand files are paired in a moment", () => {
  const numbers = [...Array(1000).keys()];
  const locals = numbers.map((n) => local({ id: `l${n}`, url: `/files/${n}` }));
  const remotes = numbers.map((n) => remote({ id: `r${n}`, url: `/files/${n}` }));
  const started = performance.now();
  assert.equal(new Ledger(locals, remotes).level.kept, 40_000);
  assert.ok(performance.now() - started < 100);
});

test("the same name in another folder is another file", () => {
  const ledger = new Ledger([], [remote({ folder: "trip/day 1" })]);
  assert.equal(ledger.unfinishedFor({ name: "a.mov", size: 100, folder: "trip/day 2" }), undefined);
  assert.equal(ledger.unfinishedFor({ name: "a.mov", size: 100, folder: "trip/day 1" }).id, "r1");
});

test("a file that was chosen before a reload and never begun is waited for", () => {
  const expected = [{ key: "k", name: "b.mov", folder: "", size: 50 }];
  const ledger = new Ledger([], [remote({ state: "ready", offset: 100 })], expected);
  assert.equal(ledger.phase, "waiting");
  assert.equal(ledger.missing, 1);
  assert.equal(ledger.fileCount, 2);
  assert.deepEqual(ledger.level, { kept: 100, total: 150, share: 100 / 150 });
  assert.deepEqual(ledger.unbegun.map(({ id }) => id), ["k"]);
});

test("a file the server knows, or that is in hand again, is not waited for as never begun", () => {
  const expected = [{ key: "k", name: "a.mov", folder: "", size: 100 }];
  assert.deepEqual(new Ledger([], [remote()], expected).unbegun, []);
  assert.deepEqual(new Ledger([local({ started: false, url: null })], [], expected).unbegun, []);
});
