// Owns how numbers and moments are said: sizes, durations, the sentences over the water. It must not touch the page.
import { gettext, interpolate, ngettext } from "./i18n.js";

const NEVER_BREAK = "\u00a0";
const UNITS = ["bytes", "KB", "MB", "GB", "TB", "PB"];

/** A number as the page's language writes it; one decimal if `digits` is 1. */
function numberInWords(value, digits = 0) {
  const language = globalThis.document?.documentElement.lang || "en";
  return new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** "1.2 GB" with one decimal, in the same steps of 1,024 as the server's own pages. */
export function sizeInWords(bytes) {
  if (bytes < 1024) {
    const whole = Math.max(0, Math.round(bytes));
    return interpolate(ngettext("%(n)s byte", "%(n)s bytes", whole), { n: whole }).replace(" ", NEVER_BREAK);
  }
  let step = 0;
  let value = bytes;
  while (value >= 1024 && step < UNITS.length - 1) {
    value /= 1024;
    step += 1;
  }
  // 1,023.97 would be said as "1024.0": one step up instead.
  if (value >= 1023.95 && step < UNITS.length - 1) return `${numberInWords(1, 1)}${NEVER_BREAK}${UNITS[step + 1]}`;
  return `${numberInWords(value, 1)}${NEVER_BREAK}${UNITS[step]}`;
}

const counted = (text, n, more = {}) => interpolate(text, { n, ...more });

/** "about 4 minutes": rounded the way a person would say it, never "0 seconds". */
export function durationInWords(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 10) return gettext("a few seconds");
  if (seconds < 55) return counted(gettext("about %(n)s seconds"), Math.ceil(seconds / 10) * 10);
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 60) return counted(ngettext("about %(n)s minute", "about %(n)s minutes", minutes), minutes);
  const hours = Math.round(seconds / 3600);
  if (hours < 36) return counted(ngettext("about %(n)s hour", "about %(n)s hours", hours), hours);
  const days = Math.round(seconds / 86400);
  return counted(ngettext("about %(n)s day", "about %(n)s days", days), days);
}

export const filesInWords = (n) => counted(ngettext("%(n)s file", "%(n)s files", n), n);

export const speedInWords = (bytesPerSecond) => `${sizeInWords(bytesPerSecond)}/s`;

export const leftInWords = (seconds) => interpolate(gettext("%(duration)s left"), { duration: durationInWords(seconds) });

/** The words of `kept` of `total`, as they stand in several sentences. */
const figures = ({ kept, total }) => ({ kept: sizeInWords(kept), total: sizeInWords(total) });

const SENTENCES = {
  chosen: ({ files, total }) =>
    counted(
      ngettext("%(files)s, %(total)s. Add more, or send it.", "%(files)s, %(total)s. Add more, or send them.", files),
      files,
      { files: filesInWords(files), total: sizeInWords(total) },
    ),
  sending: ({ kept, total, speed, secondsLeft }) =>
    [
      interpolate(gettext("%(kept)s of %(total)s kept"), figures({ kept, total })),
      speed > 0 && speedInWords(speed),
      speed > 0 && secondsLeft > 0 && leftInWords(secondsLeft),
    ]
      .filter(Boolean)
      .join(" · "),
  stalled: (all) => interpolate(gettext("Waiting for the site. We kept %(kept)s; sending goes on by itself."), figures(all)),
  offline: (all) =>
    interpolate(gettext("You are offline. We kept %(kept)s; sending goes on by itself when the connection is back."), figures(all)),
  paused: (all) => interpolate(gettext("Paused. We kept %(kept)s; go on when you like."), figures(all)),
  waiting: (all) =>
    interpolate(
      ngettext(
        "We kept %(kept)s of %(total)s. Choose the same file again, and sending goes on from there.",
        "We kept %(kept)s of %(total)s. Choose the same files again, and sending goes on from there.",
        all.missing,
      ),
      figures(all),
    ),
  askable: (all) =>
    interpolate(
      gettext("We kept %(kept)s of %(total)s. Let this page read your files again, and sending goes on from there."),
      figures(all),
    ),
  elsewhere: (all) =>
    interpolate(gettext("%(kept)s of %(total)s kept. This transfer is being sent from another window."), figures(all)),
  stuck: (all) => interpolate(gettext("Sending stopped. We kept %(kept)s; try again when you like."), figures(all)),
  processing: () => gettext("Everything has arrived. We are checking it now."),
  ready: ({ files, total }) =>
    interpolate(gettext("%(files)s, %(total)s. Ready to be downloaded."), { files: filesInWords(files), total: sizeInWords(total) }),
  choose: () => "",
};

/** What the tab says while one looks at another: the share as long as it grows. */
export function windowTitle(phase, share, name) {
  const standing = ["sending", "stalled", "offline"].includes(phase) ? `${Math.floor(share * 100)}%` : phase === "ready" && gettext("Ready");
  return [standing, name, "Spillway"].filter(Boolean).join(" · ");
}

/** The one sentence that tells how things stand. */
export function standingInWords(phase, all) {
  return SENTENCES[phase](all);
}
