// Owns how what was dropped or chosen becomes picks: {file, folder, handle, root}. It must not add them anywhere.
//
// folder: "photos/2030", "" for a file on its own; handle, root: FileSystemHandles where the browser gives them, so that a
// later page may read the file again (root is the folder that was dropped: permission is asked for it once).

const folderOf = (path) => path.split("/").slice(0, -1).join("/");
const within = (folder, name) => (folder ? `${folder}/${name}` : name);

/** The picks of an <input type=file>, with or without webkitdirectory. */
export const picksOfList = (list) => [...list].map((file) => ({ file, folder: folderOf(file.webkitRelativePath ?? "") }));

/**
 * The picks of a drop. Call it within the event: later its items are gone. At most `most` are read, and one more that
 * shows there were too many. Answers {picks, unreadable}: how many things could not be read.
 */
export function picksOfDrop(items, most) {
  const found = { picks: [], unreadable: 0, most };
  const sources = [...items].filter((item) => item.kind === "file").map(sourceOf);
  return sources.reduce((before, source) => before.then(() => readInto(found, source)), Promise.resolve()).then(() => found);
}

// All three are asked at once, since none may be asked after the event. Only Chromium has handles.
const sourceOf = (item) => ({
  handle: item.getAsFileSystemHandle?.().catch(() => null),
  entry: item.webkitGetAsEntry?.(),
  file: item.getAsFile(),
});

async function readInto(found, { handle: promised, entry, file }) {
  const handle = await promised;
  if (handle?.kind === "directory") return readHandle(found, handle, "", handle);
  if (handle) return take(found, () => handle.getFile(), { folder: "", handle });
  if (entry?.isDirectory) return readEntry(found, entry, "");
  if (file) return take(found, () => file, { folder: "" });
}

const enough = (found) => found.picks.length > found.most;

async function take(found, read, place) {
  try {
    found.picks.push({ file: await read(), ...place });
  } catch {
    found.unreadable += 1;
  }
}

async function readHandle(found, handle, folder, root) {
  if (enough(found)) return;
  if (handle.kind === "file") return take(found, () => handle.getFile(), { folder, handle, root });
  try {
    for await (const child of handle.values()) await readHandle(found, child, within(folder, handle.name), root);
  } catch {
    found.unreadable += 1;
  }
}

async function readEntry(found, entry, folder) {
  if (enough(found)) return;
  if (entry.isFile) return take(found, () => new Promise((done, failed) => entry.file(done, failed)), { folder });
  const reader = entry.createReader();
  try {
    // A reader gives a hundred at a time, and nothing when there is no more.
    for (let some = await nextOf(reader); some.length && !enough(found); some = await nextOf(reader)) {
      for (const child of some) await readEntry(found, child, within(folder, entry.name));
    }
  } catch {
    found.unreadable += 1;
  }
}

const nextOf = (reader) => new Promise((done, failed) => reader.readEntries(done, failed));
