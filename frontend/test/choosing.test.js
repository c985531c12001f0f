import assert from "node:assert/strict";
import test from "node:test";
import { addressesIn, choicesInWords, dayAfter, endOfDay } from "../src/choosing.js";

test("the folded line names expiry and password, and other choices only when they are made", () => {
  assert.equal(choicesInWords({ expires_days: 7, password: "", download_limit: null, emails: [] }), "Expires in 7 days · no password");
  const all = { expires_days: 1, password: "x", download_limit: 3, delete_after_download: true, notify_on_download: true, emails: ["a@b.c", "d@e.f"] };
  const words = "Expires tomorrow · password set · at most 3 downloads · deleted after download · you are told of the first download · mailed to 2 people";
  assert.equal(choicesInWords(all), words);
});

test("a date is named instead of days", () => {
  const at = new Date(2030, 11, 31, 23, 59, 59).toISOString();
  assert.equal(choicesInWords({ expires_at: at, password: "" }), "Expires on December 31 · no password");
});

test("addresses may be written on lines, with commas, semicolons or spaces, and each counts once", () => {
  assert.deepEqual(addressesIn(" a@x.org, b@x.org;c@x.org\n\na@x.org "), ["a@x.org", "b@x.org", "c@x.org"]);
  assert.deepEqual(addressesIn("  "), []);
});

test("a last day lasts until its end where the sender lives", () => {
  const moment = new Date(endOfDay("2030-02-28"));
  assert.deepEqual([moment.getDate(), moment.getHours(), moment.getMinutes()], [28, 23, 59]);
});

test("a day that is none has no end", () => {
  assert.equal(endOfDay("2030-02-31"), null);
  assert.equal(endOfDay(""), null);
});

test("days are counted across months and years", () => {
  assert.equal(dayAfter(new Date(2030, 11, 30, 23, 30), 3), "2031-01-02");
});
