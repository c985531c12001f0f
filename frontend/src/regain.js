// Owns reading a kept file again in a later page: from its bytes, or through its handle and the person's permission.
// It must not decide what is sent.

const READ = { mode: "read" };

/** Whether a file is still what its record says; one that was written since is another file. */
export function sameFile(record, file) {
  const sameTime = !record.lastModified || !file.lastModified || record.lastModified === file.lastModified;
  return record.size === file.size && sameTime;
}

/** Whether the file can be read now: "now", "ask" (after a click), or "no". */
export async function readiness(record) {
  if (record.blob) return "now";
  if (!record.handle) return "no";
  try {
    const state = await (record.root ?? record.handle).queryPermission(READ);
    return { granted: "now", prompt: "ask" }[state] ?? "no";
  } catch {
    return "no";
  }
}

/** Asks the browser, which asks the person: once for every file or dropped folder. Only within a click. */
export async function askFor(records) {
  const doors = new Set(records.map((record) => record.root ?? record.handle).filter(Boolean));
  const asked = [];
  for (const door of doors) {
    // The same folder comes out of the database once for every file in it.
    if (await alreadyAsked(asked, door)) continue;
    asked.push(door);
    await door.requestPermission(READ).catch(() => "denied");
  }
}

async function alreadyAsked(asked, door) {
  for (const other of asked) if (await other.isSameEntry(door)) return true;
  return false;
}

/** The pick of a record that is ready "now", or null: gone, or not the same file any more. */
export async function pickOf(record) {
  const { handle, root, blob, folder, name, type, lastModified } = record;
  if (blob) return { file: new File([blob], name, { type, lastModified }), folder };
  try {
    const file = await handle.getFile();
    return sameFile(record, file) ? { file, folder, handle, root } : null;
  } catch {
    return null;
  }
}
