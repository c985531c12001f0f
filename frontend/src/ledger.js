// Owns what is known about every file of a transfer, from this browser and from the server: shares, matches, the phase.
// Pure: it must not touch the page or the network.
//
// local:  {id, name, size, url, started, paused, failed, sent}   a file this browser holds (sent: all bytes acknowledged)
// remote: {id, name, size, state, offset, url}                   a file the server knows (offset: bytes that are durable)

/** The remote file that a local one is being written to, if the server lists it yet. */
export function remoteOf(local, remotes) {
  const same = local.url && remotes.find((remote) => remote.url && samePath(remote.url, local.url));
  return same || (local.sent ? finishedAs(local, remotes) : undefined);
}

// A finished upload may be gone from the server before this page has looked: then the file itself is recognised.
function finishedAs({ name, size }, remotes) {
  return remotes.find((remote) => !remote.url && remote.state !== "uploading" && remote.name === name && remote.size === size);
}

/** An unfinished upload on the server that a freshly chosen file can go on with: the same name and size, held by nobody. */
export function unfinishedFor({ name, size }, remotes, locals) {
  const held = new Set(locals.map((local) => remoteOf(local, remotes)?.id));
  return remotes.find(
    (remote) => remote.state === "uploading" && remote.url && remote.name === name && remote.size === size && !held.has(remote.id),
  );
}

/** Remote files that no file of this browser is being written to. */
export function unheld(remotes, locals) {
  const held = new Set(locals.map((local) => remoteOf(local, remotes)?.id));
  return remotes.filter((remote) => !held.has(remote.id));
}

/**
 * Empty uploads left behind when the answer to their creation was lost and the client made a second one: same name and size
 * as a file that is now being written elsewhere, and not one byte. They would keep the transfer from ever being complete.
 */
export function leftBehind(remotes, locals) {
  return unheld(remotes, locals).filter((remote) => {
    const twins = locals.filter((local) => local.name === remote.name && local.size === remote.size);
    // A twin that does not know its address yet may be the very file this upload was made for.
    const allKnown = twins.length > 0 && twins.every((local) => remoteOf(local, remotes));
    return remote.state === "uploading" && remote.offset === 0 && allKnown;
  });
}

/** Bytes that are durable, and bytes in all. `kept` never counts what was merely sent. */
export function waterLevel(locals, remotes) {
  const others = unheld(remotes, locals).filter((remote) => remote.state !== "rejected");
  const keptHere = locals.map((local) => remoteOf(local, remotes)?.offset ?? 0);
  const keptThere = others.map((remote) => (remote.state === "uploading" ? remote.offset : remote.size));
  const total = sum(locals.map((local) => local.size)) + sum(others.map((remote) => remote.size));
  const kept = Math.min(total, sum(keptHere) + sum(keptThere));
  return { kept, total, share: total ? kept / total : Number(remotes.length > 0 || locals.some((local) => local.sent)) };
}

/** How things stand: choose | chosen | sending | paused | stuck | waiting | processing | ready. */
export function phaseOf(locals, remotes) {
  const arriving = locals.filter((local) => !local.sent);
  if (arriving.some((local) => local.started && !local.paused && !local.failed)) return "sending";
  if (arriving.some((local) => local.failed)) return "stuck";
  if (arriving.some((local) => local.paused)) return "paused";
  if (arriving.length) return "chosen";
  const others = unheld(remotes, locals).filter((remote) => remote.state !== "rejected");
  if (others.some((remote) => remote.state === "uploading")) return "waiting";
  if (locals.length || others.some((remote) => remote.state === "processing")) return "processing";
  return others.length ? "ready" : "choose";
}

/** Local files whose bytes the server has taken over entirely: their rows give way to the server's own. */
export function handedOver(locals, remotes) {
  return locals.filter((local) => {
    const remote = remoteOf(local, remotes);
    return local.sent && remote && remote.state !== "uploading";
  });
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

// One side may be absolute and the other a path.
const samePath = (one, other) => pathOf(one) === pathOf(other);
const pathOf = (url) => new URL(url, "http://any.invalid").pathname.replace(/\/+$/, "");
