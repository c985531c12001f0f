// Owns the offer on the first page to go on with what was not sent whole. It must not send, only lead there.
import { gettext, interpolate } from "./i18n.js";
import { RefusedError, transferFiles } from "./transfer.js";
import { sizeInWords } from "./words.js";

const SHOWN = 5;
const GONE = new Set([403, 404, 410]);

/** {files, sent, kept} of a transfer, or null if there is nothing left to send. `entry` is the memory's. */
export function leftOf(entry, remotes) {
  const wanted = remotes.filter(({ state }) => state !== "rejected");
  const sent = wanted.filter(({ state }) => state !== "uploading").length;
  const files = Math.max(entry.files ?? 0, remotes.length);
  if (remotes.length >= files && sent === wanted.length) return null;
  return { files, sent, kept: wanted.reduce((bytes, { offset }) => bytes + offset, 0) };
}

const factsOf = ({ files, sent, kept }) =>
  interpolate(gettext("%(sent)s of %(files)s files, %(kept)s kept"), { sent, files, kept: sizeInWords(kept) });

export class Offer {
  #section;
  #memory;

  /** `section` holds a <ul> and a <template> of one row. */
  constructor(section, memory) {
    this.#section = section;
    this.#memory = memory;
  }

  /** Asks the server about each, and shows those that wait. Tokens that another window sends are left out. */
  async show(busyTokens) {
    const entries = this.#memory.all.filter(({ token }) => !busyTokens.includes(token)).slice(0, SHOWN);
    for (const entry of entries) await this.#showOne(entry);
  }

  async #showOne(entry) {
    try {
      const left = leftOf(entry, (await transferFiles(entry.token, entry.secret)).files);
      if (left) this.#addRow(entry, factsOf(left));
      else this.#memory.forget(entry.token);
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      // An unreachable site says nothing of the transfer: it is offered another time.
      if (GONE.has(error.status)) this.#memory.forget(entry.token);
    }
  }

  #addRow(entry, facts) {
    const row = this.#section.querySelector("template").content.firstElementChild.cloneNode(true);
    const title = entry.title || gettext("A transfer without a title");
    row.querySelector("[data-title]").textContent = title;
    row.querySelector("[data-facts]").textContent = facts;
    const goOn = row.querySelector("[data-go-on]");
    goOn.href = `/m/${entry.token}#${entry.secret}`;
    goOn.setAttribute("aria-label", interpolate(gettext("Go on: %(name)s"), { name: title }));
    const forget = row.querySelector("[data-forget]");
    forget.setAttribute("aria-label", interpolate(gettext("Forget %(name)s"), { name: title }));
    forget.addEventListener("click", () => this.#forget(entry, row));
    this.#section.querySelector("ul").append(row);
    this.#section.hidden = false;
  }

  #forget(entry, row) {
    this.#memory.forget(entry.token);
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    if (next) next.querySelector("[data-forget]").focus();
    else this.#section.hidden = true;
  }
}
