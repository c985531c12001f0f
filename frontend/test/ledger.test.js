import assert from "node:assert/strict";
import test from "node:test";
import { handedOver, leftBehind, phaseOf, unfinishedFor, waterLevel } from "../src/ledger.js";

const local = (more) => ({ id: "l1", name: "a.mov", size: 100, url: "/files/1", started: true, paused: false, failed: false, sent: false, ...more });
const remote = (more) => ({ id: "r1", name: "a.mov", size: 100, state: "uploading", offset: 40, url: "/files/1", ...more });

test("the level counts durable bytes only", () => {
  assert.deepEqual(waterLevel([local()], [remote()]), { kept: 40, total: 100, share: 0.4 });
});

test("a file the server does not list yet counts in the total and not in the level", () => {
  assert.deepEqual(waterLevel([local({ url: null })], []), { kept: 0, total: 100, share: 0 });
});

test("an absolute upload address matches a path", () => {
  assert.equal(waterLevel([local({ url: "https://example.org/files/1" })], [remote()]).total, 100);
});

test("a rejected file is not part of the level", () => {
  assert.equal(waterLevel([], [remote({ state: "rejected" }), remote({ id: "r2", url: "/files/2", state: "ready", offset: 100 })]).share, 1);
});

test("a transfer of one empty file that has arrived is full", () => {
  assert.equal(waterLevel([], [remote({ size: 0, offset: 0, state: "ready" })]).share, 1);
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

test("a file chosen again goes on with the unfinished upload of the same name and size", () => {
  assert.equal(unfinishedFor({ name: "a.mov", size: 100 }, [remote()], []).id, "r1");
});

test("another size, another name or a held upload is not gone on with", () => {
  assert.equal(unfinishedFor({ name: "a.mov", size: 99 }, [remote()], []), undefined);
  assert.equal(unfinishedFor({ name: "b.mov", size: 100 }, [remote()], []), undefined);
  assert.equal(unfinishedFor({ name: "a.mov", size: 100 }, [remote()], [local()]), undefined);
});

test("an empty twin of a file being written is left behind", () => {
  const twin = remote({ id: "r2", url: "/files/2", offset: 0 });
  assert.deepEqual(leftBehind([remote(), twin], [local()]), [twin]);
});

test("an empty upload may belong to a second file of the same name whose address is not known yet", () => {
  const second = local({ id: "l2", url: null });
  assert.deepEqual(leftBehind([remote(), remote({ id: "r2", url: "/files/2", offset: 0 })], [local(), second]), []);
});

test("an unfinished upload with bytes in it is never taken for left behind", () => {
  assert.deepEqual(leftBehind([remote(), remote({ id: "r2", url: "/files/2", offset: 7 })], [local()]), []);
});

test("a sent file is handed over even when its upload is already gone from the server", () => {
  const sent = local({ sent: true });
  assert.deepEqual(handedOver([sent], [remote({ url: null, state: "ready" })]), [sent]);
  assert.deepEqual(handedOver([sent], [remote({ url: null, state: "ready", size: 7 })]), []);
});

test("a sent file is handed over once the server lists it as arrived", () => {
  const sent = local({ sent: true });
  assert.deepEqual(handedOver([sent], [remote()]), []);
  assert.deepEqual(handedOver([sent], [remote({ state: "processing" })]), [sent]);
});
