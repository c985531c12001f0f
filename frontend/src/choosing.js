// Owns the choices in words and in the shape the server takes. Pure: it must not touch the form.
import { gettext, interpolate, ngettext } from "./i18n.js";

/** The addresses in a text: one a line, or with commas, semicolons or spaces between them; each once. */
export function addressesIn(text) {
  return [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
}

/** The last moment of a day "2030-12-31" where the reader lives, as ISO 8601; null if there is no such day. */
export function endOfDay(day) {
  const [year, month, date] = day.split("-").map(Number);
  const moment = new Date(year, month - 1, date, 23, 59, 59);
  return Number.isNaN(moment.valueOf()) || moment.getDate() !== date ? null : moment.toISOString();
}

/** "2030-12-31", so many days from `now`, where the reader lives. */
export function dayAfter(now, days) {
  const day = new Date(now.getFullYear(), now.getMonth(), now.getDate() + days);
  const two = (number) => String(number).padStart(2, "0");
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

function expiryInWords({ expires_days: days, expires_at: at }) {
  if (at) {
    const language = globalThis.document?.documentElement.lang || "en";
    const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "long" }).format(new Date(at));
    return interpolate(gettext("Expires on %(day)s"), { day });
  }
  return days === 1 ? gettext("Expires tomorrow") : interpolate(ngettext("Expires in %(n)s day", "Expires in %(n)s days", days), { n: days });
}

/** The folded line: "Expires in 7 days · no password". Takes what is sent to the server. */
export function choicesInWords(choices) {
  const limit = choices.download_limit;
  const mails = choices.emails?.length ?? 0;
  return [
    expiryInWords(choices),
    choices.password ? gettext("password set") : gettext("no password"),
    limit && interpolate(ngettext("at most %(n)s download", "at most %(n)s downloads", limit), { n: limit }),
    choices.delete_after_download && gettext("deleted after download"),
    choices.notify_on_download && gettext("you are told of the first download"),
    mails > 0 && interpolate(ngettext("mailed to %(n)s person", "mailed to %(n)s people", mails), { n: mails }),
  ]
    .filter(Boolean)
    .join(" · ");
}
