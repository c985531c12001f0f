import assert from "node:assert/strict";
import test from "node:test";
import { picksOfDrop, picksOfList } from "../src/folders.js";

const file = (name) => ({ name });
const fileHandle = (name) => ({ kind: "file", name, getFile: async () => file(name) });
const folderHandle = (name, ...children) => ({ kind: "directory", name, values: async function* () { yield* children; } });
const fileEntry = (name) => ({ isFile: true, isDirectory: false, name, file: (done) => done(file(name)) });

// Like a browser's: some at a time, then none.
function folderEntry(name, ...children) {
  const createReader = () => {
    const left = [...children];
    return { readEntries: (done) => done(left.splice(0, 2)) };
  };
  return { isFile: false, isDirectory: true, name, createReader };
}

const dropped = ({ handle, entry, plain }) => ({
  kind: "file",
  ...(handle && { getAsFileSystemHandle: async () => handle }),
  webkitGetAsEntry: () => entry ?? null,
  getAsFile: () => plain ?? null,
});
const placesOf = ({ picks }) => picks.map((pick) => `${pick.folder}|${pick.file.name}`);

test("a folder that was chosen keeps its structure", () => {
  const list = [{ name: "a.jpg", webkitRelativePath: "trip/day 1/a.jpg" }, { name: "b.txt", webkitRelativePath: "" }];
  assert.deepEqual(placesOf({ picks: picksOfList(list) }), ["trip/day 1|a.jpg", "|b.txt"]);
});

test("a folder that was dropped is read to its depth, with handles", async () => {
  const trip = folderHandle("trip", folderHandle("day 1", fileHandle("a.jpg")), fileHandle("map.pdf"));
  const found = await picksOfDrop([dropped({ handle: trip }), dropped({ handle: fileHandle("b.txt") })], 100);
  assert.deepEqual(placesOf(found), ["trip/day 1|a.jpg", "trip|map.pdf", "|b.txt"]);
  assert.equal(found.picks[0].root, trip);
  assert.equal(found.picks[2].root, undefined);
});

test("a browser without handles reads folders through entries, however many each has", async () => {
  const trip = folderEntry("trip", fileEntry("1"), fileEntry("2"), fileEntry("3"), folderEntry("deep", fileEntry("4")));
  const found = await picksOfDrop([dropped({ entry: trip })], 100);
  assert.deepEqual(placesOf(found), ["trip|1", "trip|2", "trip|3", "trip/deep|4"]);
});

test("a browser with neither gives the file", async () => {
  assert.deepEqual(placesOf(await picksOfDrop([dropped({ plain: file("a") })], 100)), ["|a"]);
});

test("text that is dragged along is no file", async () => {
  assert.deepEqual(placesOf(await picksOfDrop([{ kind: "string" }], 100)), []);
});

test("a folder of more files than are taken is not read to its end", async () => {
  const names = Array.from({ length: 1000 }, (_, at) => fileHandle(String(at)));
  const found = await picksOfDrop([dropped({ handle: folderHandle("many", ...names) })], 10);
  assert.equal(found.picks.length, 11);
});

test("what cannot be read is counted, and the rest is taken", async () => {
  const locked = { kind: "file", name: "locked", getFile: async () => { throw new Error("NotReadable"); } };
  const closed = { kind: "directory", name: "closed", values: async function* () { throw new Error("NotAllowed"); } };
  const found = await picksOfDrop([dropped({ handle: folderHandle("d", locked, closed, fileHandle("a")) })], 100);
  assert.deepEqual(placesOf(found), ["d|a"]);
  assert.equal(found.unreadable, 2);
});
