// Owns how numbers and moments are said: sizes, durations, the sentences over the water. It must not touch the page.

const NEVER_BREAK = "\u00a0";
const UNITS = ["bytes", "KB", "MB", "GB", "TB", "PB"];

/** "1.2 GB" with one decimal, in the same steps of 1,024 as the server's own pages. */
export function sizeInWords(bytes) {
  if (bytes < 1024) return bytes === 1 ? `1${NEVER_BREAK}byte` : `${Math.max(0, Math.round(bytes))}${NEVER_BREAK}bytes`;
  let step = 0;
  let value = bytes;
  while (value >= 1024 && step < UNITS.length - 1) {
    value /= 1024;
    step += 1;
  }
  // 1,023.97 would be said as "1024.0": one step up instead.
  if (value >= 1023.95 && step < UNITS.length - 1) return `1.0${NEVER_BREAK}${UNITS[step + 1]}`;
  return `${value.toFixed(1)}${NEVER_BREAK}${UNITS[step]}`;
}

const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** "about 4 minutes": rounded the way a person would say it, never "0 seconds". */
export function durationInWords(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 10) return "a few seconds";
  if (seconds < 55) return `about ${Math.ceil(seconds / 10) * 10} seconds`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `about ${count(Math.max(1, minutes), "minute")}`;
  const hours = Math.round(seconds / 3600);
  if (hours < 36) return `about ${count(hours, "hour")}`;
  return `about ${count(Math.round(seconds / 86400), "day")}`;
}

export const filesInWords = (number) => count(number, "file");

export const speedInWords = (bytesPerSecond) => `${sizeInWords(bytesPerSecond)}/s`;

/** The folded line of the choices: "Expires in 7 days · no password". */
export function choicesInWords({ days, password, downloadLimit }) {
  const parts = [days === 1 ? "Expires tomorrow" : `Expires in ${count(days, "day")}`];
  parts.push(password ? "password set" : "no password");
  if (downloadLimit) parts.push(`at most ${count(downloadLimit, "download")}`);
  return parts.join(" · ");
}

const SENTENCES = {
  chosen: ({ files, total }) => `${filesInWords(files)}, ${sizeInWords(total)}. Add more, or send ${files === 1 ? "it" : "them"}.`,
  sending: ({ kept, total, speed, secondsLeft }) =>
    [
      `${sizeInWords(kept)} of ${sizeInWords(total)} kept`,
      speed > 0 && speedInWords(speed),
      speed > 0 && secondsLeft > 0 && `${durationInWords(secondsLeft)} left`,
    ]
      .filter(Boolean)
      .join(" · "),
  stalled: ({ kept }) => `Waiting for the site. We kept ${sizeInWords(kept)}; sending goes on by itself.`,
  paused: ({ kept }) => `Paused. We kept ${sizeInWords(kept)}; go on when you like.`,
  waiting: ({ kept, total, missing }) =>
    `We kept ${sizeInWords(kept)} of ${sizeInWords(total)}. ` +
    `Choose the same ${missing === 1 ? "file" : "files"} again, and sending goes on from there.`,
  stuck: ({ kept }) => `Sending stopped. We kept ${sizeInWords(kept)}; try again when you like.`,
  processing: () => "Everything has arrived. We are checking it now.",
  ready: ({ files, total }) => `${filesInWords(files)}, ${sizeInWords(total)}. Ready to be downloaded.`,
  choose: () => "",
};

/** What the tab says while one looks at another: the share as long as it grows. */
export function windowTitle(phase, share, name) {
  const standing = ["sending", "stalled"].includes(phase) ? `${Math.floor(share * 100)}%` : { ready: "Ready" }[phase];
  return [standing, name, "Spillway"].filter(Boolean).join(" · ");
}

/** The one sentence that tells how things stand. */
export function standingInWords(phase, figures) {
  return SENTENCES[phase](figures);
}
