import assert from "node:assert/strict";
import test from "node:test";
import { durationInWords, sizeInWords, standingInWords, windowTitle } from "../src/words.js";

// A number and its unit stand together: between them is a space that never breaks.
const plain = (words) => words.replaceAll("\u00a0", " ");

test("sizes have one decimal and the server's units", () => {
  const cases = [[0, "0 bytes"], [1, "1 byte"], [1023, "1023 bytes"], [1024, "1.0 KB"], [1_288_490_189, "1.2 GB"]];
  for (const [bytes, words] of cases) assert.equal(plain(sizeInWords(bytes)), words);
});

test("a size just under a step is said in the next unit, never as 1024.0", () => {
  assert.equal(plain(sizeInWords(1024 ** 2 - 10)), "1.0 MB");
});

test("durations are rounded as a person would", () => {
  const cases = [[3, "a few seconds"], [31, "about 40 seconds"], [58, "about 1 minute"], [240, "about 4 minutes"], [7000, "about 2 hours"]];
  for (const [seconds, words] of cases) assert.equal(durationInWords(seconds), words);
});

test("an unknown duration says nothing", () => {
  assert.equal(durationInWords(Infinity), "");
});

test("a pause says what was kept", () => {
  const words = standingInWords("paused", { kept: 1_395_864_371 });
  assert.equal(plain(words), "Paused. We kept 1.3 GB; go on when you like.");
});

test("the tab tells the share while it grows, and never more than there is", () => {
  assert.equal(windowTitle("sending", 0.999, "Film"), "99% · Film · Spillway");
  assert.equal(windowTitle("paused", 0.5, "Film"), "Film · Spillway");
});

test("while sending without a known speed only the bytes are told", () => {
  assert.equal(plain(standingInWords("sending", { kept: 0, total: 2048, speed: 0, secondsLeft: Infinity })), "0 bytes of 2.0 KB kept");
});

test("being offline says what was kept and that nothing has to be done", () => {
  const words = standingInWords("offline", { kept: 1_395_864_371 });
  assert.equal(plain(words), "You are offline. We kept 1.3 GB; sending goes on by itself when the connection is back.");
});

test("one file that has to be chosen again is not called files", () => {
  assert.match(standingInWords("waiting", { kept: 0, total: 5, missing: 1 }), /the same file again/);
  assert.match(standingInWords("waiting", { kept: 0, total: 5, missing: 2 }), /the same files again/);
});

test("numbers are written as the page's language writes them", () => {
  globalThis.document = { documentElement: { lang: "de" } };
  assert.equal(plain(sizeInWords(1_288_490_189)), "1,2 GB");
  delete globalThis.document;
});
