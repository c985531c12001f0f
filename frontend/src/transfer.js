// Owns the requests about a whole transfer: making one, removing it or one of its files. It must not touch the page.
import { csrfToken } from "./address.js";

/** A refusal of the server in its own words (`message` is safe to show), with its stable `code`. */
export class RefusedError extends Error {
  constructor(status, { code = "unknown", message } = {}) {
    super(message ?? `The site answered ${status}. Try again in a moment.`);
    this.code = code;
    this.status = status;
  }
}

async function ask(url, options) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...options });
  } catch {
    throw new RefusedError(0, { code: "unreachable", message: "The site cannot be reached. Check the connection and try again." });
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
