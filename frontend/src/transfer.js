// Owns the requests about a whole transfer: making one, removing it or one of its files. It must not touch the page.
import { csrfToken } from "./address.js";
import { gettext, interpolate } from "./i18n.js";

/** A refusal of the server in its own words (`message` is safe to show), with its stable `code` and perhaps the `field` it is about. */
export class RefusedError extends Error {
  constructor(status, { code = "unknown", message, field = "" } = {}) {
    super(message ?? interpolate(gettext("The site answered %(status)s. Try again in a moment."), { status }));
    this.code = code;
    this.field = field;
    this.status = status;
  }
}

async function ask(url, options) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...options });
  } catch {
    throw new RefusedError(0, { code: "unreachable", message: gettext("The site cannot be reached. Check the connection and try again.") });
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new RefusedError(response.status, body.error);
  return body;
}

/** Makes a transfer from the choices; answers {token, secret, url, manage_url}. */
export function transferCreate(url, choices) {
  const headers = { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": csrfToken() };
  return ask(url, { method: "POST", headers, body: JSON.stringify(choices) });
}

function remove(url, secret) {
  const headers = { "Transfer-Secret": secret, Accept: "application/json", "X-CSRFToken": csrfToken() };
  return ask(url, { method: "DELETE", headers });
}

export const transferRemove = (token, secret) => remove(`/m/${token}`, secret);

export const fileRemove = (token, fileId, secret) => remove(`/m/${token}/files/${fileId}`, secret);

/** The files of a transfer as the server has them: {state, files: [{state, size, offset}]}. */
export const transferFiles = (token, secret) =>
  ask(`/m/${token}/files`, { headers: { "Transfer-Secret": secret, Accept: "application/json" } });

const REFUSALS = {
  403: () => gettext("This address does not hold the right key to the transfer."),
  404: () => gettext("There is no transfer here, or this address does not hold its key."),
  410: () => gettext("This transfer has expired."),
};

/** Why the list of a transfer's files is refused for good; undefined for what passes by itself. */
export const refusalInWords = (status) => REFUSALS[status]?.();
