import assert from "node:assert/strict";
import test from "node:test";
import { Memory } from "../src/memory.js";

function storage(held = {}) {
  return { held, getItem: (key) => held[key] ?? null, setItem: (key, value) => (held[key] = value) };
}
const entry = (token, more = {}) => ({ token, secret: `secret of ${token}`, title: "Film", files: 3, ...more });

test("what was remembered is found again, the newest first", () => {
  const place = storage();
  new Memory(place).remember(entry("a"));
  new Memory(place).remember(entry("b"));
  assert.deepEqual(new Memory(place).all.map(({ token }) => token), ["b", "a"]);
  assert.equal(new Memory(place).find("a").secret, "secret of a");
});

test("a second word about a transfer replaces the first, and keeps when it was begun", () => {
  const memory = new Memory(storage());
  memory.remember(entry("a"));
  const { startedAt } = memory.find("a");
  memory.remember(entry("a", { files: 5 }));
  assert.equal(memory.all.length, 1);
  assert.equal(memory.find("a").files, 5);
  assert.equal(memory.find("a").startedAt, startedAt);
});

test("of more than twenty the oldest are forgotten", () => {
  const memory = new Memory(storage());
  for (let n = 0; n < 23; n += 1) memory.remember(entry(`t${n}`));
  assert.equal(memory.all.length, 20);
  assert.equal(memory.find("t2"), undefined);
  assert.ok(memory.find("t3"));
});

test("what was forgotten is gone", () => {
  const memory = new Memory(storage());
  memory.remember(entry("a"));
  memory.forget("a");
  assert.deepEqual(memory.all, []);
});

test("a browser that forbids remembering changes nothing", () => {
  const forbidden = { getItem: () => { throw new Error("no"); }, setItem: () => { throw new Error("full"); } };
  for (const place of [forbidden, null]) {
    const memory = new Memory(place);
    memory.remember(entry("a"));
    assert.deepEqual(memory.all, []);
  }
});

test("what somebody else wrote there is not taken for ours", () => {
  for (const text of ["{", "7", "null", '[1, {"token": 3}, null]']) {
    assert.deepEqual(new Memory(storage({ "spillway.unfinished": text })).all, []);
  }
});

test("a transfer that is followed is remembered until it is ready, and again when files are added", () => {
  const memory = new Memory(storage());
  memory.follow(entry("a"), "choose");
  assert.deepEqual(memory.all, []);
  memory.follow(entry("a"), "sending");
  assert.equal(memory.find("a").files, 3);
  memory.follow(entry("a"), "ready");
  assert.deepEqual(memory.all, []);
  memory.follow(entry("a"), "sending");
  assert.equal(memory.find("a").files, 3);
});
