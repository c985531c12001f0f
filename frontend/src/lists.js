// Owns the lists that htmx fetches again while something in them may still change, and the headers of those requests.
// A list is <ul data-poll hx-get hx-trigger="look">; it is looked at while it holds [data-pending] or is marked data-busy.
import { csrfToken, secretFromAddress } from "./address.js";
import { sayTimes } from "./dates.js";

const LOOK_EVERY_MS = 2000;

// A list of hundreds of rows is fetched more rarely: it is as long as it is.
const ROWS_PER_TURN = 100;

const look = (list) => list.dispatchEvent(new Event("look"));

const itsTurn = (list, turn) => turn % Math.ceil((list.childElementCount + 1) / ROWS_PER_TURN) === 0;

const mayChange = (list) => list.hasAttribute("data-busy") || list.querySelector("[data-pending]") !== null;

/** The sender's secret travels in a header, never in an address that a log could keep. */
export function sendOurHeaders() {
  document.addEventListener("htmx:config:request", (event) => {
    const { headers, method } = event.detail.ctx.request;
    const secret = secretFromAddress();
    if (secret) headers["Transfer-Secret"] = secret;
    if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  });
}

export function watchLists() {
  document.addEventListener("htmx:after:swap", (event) => sayTimes(event.target));
  let turn = 0;
  setInterval(() => {
    turn += 1;
    if (!navigator.onLine) return;
    if (document.hidden && !document.querySelector("[data-busy]")) return;
    for (const list of document.querySelectorAll("[data-poll][hx-get]")) {
      if (mayChange(list) && itsTurn(list, turn)) look(list);
    }
  }, LOOK_EVERY_MS);
}
