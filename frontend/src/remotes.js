// Owns reading the server's list out of the rows that htmx put on the page: they carry their figures as data attributes.

/** The ledger's view of the server's files. */
export function remotesOf(list) {
  return [...list.querySelectorAll("li[data-id]")].map(({ dataset }) => ({
    id: dataset.id,
    name: dataset.name,
    folder: dataset.folder ?? "",
    size: Number(dataset.size),
    state: dataset.state,
    offset: Number(dataset.offset),
    url: dataset.uploadUrl || null,
    link: dataset.link,
  }));
}

/** Hides the server's rows of files that this browser is sending: they have a row of their own with more to tell. */
export function hideHeld(list, heldIds) {
  for (const row of list.querySelectorAll("li[data-id]")) row.hidden = heldIds.has(row.dataset.id);
}
