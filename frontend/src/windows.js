// Owns that one transfer is sent from one window at a time: two would take the same upload from each other.
// Without the browser's locks (no https) every window believes itself alone.

const PREFIX = "spillway:";

/** Calls `taken(false)` as soon as this window has the transfer to itself, and `taken(true)` first if it has to wait. */
export async function holdTransfer(token, taken) {
  if (!navigator.locks) return taken(false);
  const name = PREFIX + token;
  // Held until the window is gone: the promise never ends.
  const hold = () => {
    taken(false);
    return new Promise(() => {});
  };
  const got = await navigator.locks.request(name, { ifAvailable: true }, (lock) => (lock ? hold() : "busy"));
  if (got !== "busy") return;
  taken(true);
  navigator.locks.request(name, hold);
}

/** The tokens of transfers that other windows hold. */
export async function heldTokens() {
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  return held.filter(({ name }) => name.startsWith(PREFIX)).map(({ name }) => name.slice(PREFIX.length));
}
