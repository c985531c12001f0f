import assert from "node:assert/strict";
import test from "node:test";
import { leftOf } from "../src/offer.js";

const remote = (state, offset) => ({ state, offset });

test("files the server never heard of count as not sent", () => {
  const left = leftOf({ files: 5 }, [remote("ready", 10), remote("processing", 20), remote("uploading", 5)]);
  assert.deepEqual(left, { files: 5, sent: 2, kept: 35 });
});

test("nothing is left of a transfer that arrived whole", () => {
  assert.equal(leftOf({ files: 2 }, [remote("ready", 1), remote("processing", 1)]), null);
});

test("a refused file is not waited for", () => {
  assert.equal(leftOf({ files: 2 }, [remote("ready", 1), remote("rejected", 0)]), null);
});

test("a transfer of which nothing has arrived is all left", () => {
  assert.deepEqual(leftOf({ files: 1 }, []), { files: 1, sent: 0, kept: 0 });
});
