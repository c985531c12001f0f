import assert from "node:assert/strict";
import test from "node:test";
import { Pace } from "../src/pace.js";

test("speed is measured over the last ten seconds", () => {
  const pace = new Pace();
  for (let second = 0; second <= 30; second += 1) pace.note(second * 1000, second * 1000);
  assert.equal(pace.speed, 1000);
  assert.equal(pace.secondsLeft(5000), 5);
});

test("one sample gives no speed and no promise", () => {
  const pace = new Pace();
  pace.note(10, 0);
  assert.equal(pace.speed, 0);
  assert.equal(pace.secondsLeft(5000), Infinity);
});

test("a fall in bytes starts the measure again", () => {
  const pace = new Pace();
  pace.note(5000, 0);
  pace.note(100, 1000);
  assert.equal(pace.speed, 0);
});

test("nothing moving for more than eight seconds is a stall", () => {
  const pace = new Pace();
  pace.note(10, 0);
  pace.note(10, 7000);
  assert.equal(pace.stalled(7000), false);
  pace.note(10, 9000);
  assert.equal(pace.stalled(9000), true);
});
