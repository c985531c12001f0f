import assert from "node:assert/strict";
import test from "node:test";
import { keyOf, recordOf, withSmallFiles } from "../src/kept.js";
import { askFor, pickOf, readiness, sameFile } from "../src/regain.js";

const MIB = 1024 ** 2;
const record = (more) => ({ name: "a", folder: "", size: 5, lastModified: 1, ...more });
const door = (state, more = {}) => ({ queryPermission: async () => state, isSameEntry: async (other) => other === door, ...more });

test("the same name and size in another folder is another file", () => {
  assert.notEqual(keyOf({ name: "a", folder: "x", size: 5 }), keyOf({ name: "a", folder: "y", size: 5 }));
  assert.equal(keyOf({ name: "a", folder: "", size: 5 }), keyOf({ name: "a", size: 5 }));
});

test("small files are kept whole, large ones and those with a handle are not", () => {
  const records = [record({ size: 10 * MIB }), record({ size: 10 * MIB + 1 }), record({ size: 1, handle: {} })];
  const kept = withSmallFiles(records, ["first", "second", "third"], 0);
  assert.deepEqual(kept.map(({ blob }) => blob), ["first", undefined, undefined]);
});

test("all that is kept whole is at most 50 MB, with what lies there already", () => {
  const records = Array.from({ length: 5 }, () => record({ size: 8 * MIB }));
  const blobs = withSmallFiles(records, ["1", "2", "3", "4", "5"], 25 * MIB).map(({ blob }) => blob);
  assert.deepEqual(blobs, ["1", "2", "3", undefined, undefined]);
});

test("a record says what the file was", () => {
  const file = { name: "a.jpg", size: 5, type: "image/jpeg", lastModified: 9 };
  const { token, key, folder, lastModified } = recordOf("t", { file, folder: "trip" });
  assert.deepEqual([token, key, folder, lastModified], ["t", '["trip","a.jpg",5]', "trip", 9]);
});

test("a file that was written since is not the same, one whose time nobody knows is taken for it", () => {
  assert.equal(sameFile(record(), { size: 5, lastModified: 2 }), false);
  assert.equal(sameFile(record(), { size: 6, lastModified: 1 }), false);
  assert.equal(sameFile(record(), { size: 5, lastModified: 1 }), true);
  assert.equal(sameFile(record({ lastModified: 0 }), { size: 5, lastModified: 2 }), true);
});

test("what was kept whole is ready, a handle as far as the browser says", async () => {
  assert.equal(await readiness(record({ blob: {} })), "now");
  assert.equal(await readiness(record({ handle: door("granted") })), "now");
  assert.equal(await readiness(record({ handle: door("prompt") })), "ask");
  assert.equal(await readiness(record({ handle: door("denied") })), "no");
  assert.equal(await readiness(record()), "no");
});

test("for files of a dropped folder its permission counts", async () => {
  assert.equal(await readiness(record({ handle: door("prompt"), root: door("granted") })), "now");
});

test("a person is asked once for a folder, whichever files of it are wanted", async () => {
  const asked = [];
  const folder = (id) => ({ id, isSameEntry: async (other) => other.id === id, requestPermission: async () => asked.push(id) });
  await askFor([record({ handle: {}, root: folder("f") }), record({ handle: {}, root: folder("f") }), record({ handle: folder("g") })]);
  assert.deepEqual(asked, ["f", "g"]);
});

test("a file that is gone or changed gives nothing to send", async () => {
  const gone = { getFile: async () => { throw new Error("NotFound"); } };
  const changed = { getFile: async () => ({ size: 5, lastModified: 2 }) };
  assert.equal(await pickOf(record({ handle: gone })), null);
  assert.equal(await pickOf(record({ handle: changed })), null);
});

test("what was kept whole comes back under its name and with its time", async () => {
  const { file, folder } = await pickOf(record({ name: "a.txt", folder: "x", blob: new Blob(["hello"]), type: "text/plain", lastModified: 7 }));
  assert.deepEqual([file.name, file.size, file.type, file.lastModified, folder], ["a.txt", 5, "text/plain", 7, "x"]);
});
