// Owns how moments are said in the reader's own language and zone. It must not change what a <time> means, only its words.

const STYLES = {
  date: { weekday: "long", day: "numeric", month: "long", hour: "numeric", minute: "2-digit" },
  day: { day: "numeric", month: "long" },
};

/** Rewrites every <time data-when="date|day"> under `root`. */
export function sayTimes(root) {
  for (const time of root.querySelectorAll("time[data-when]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.valueOf())) continue;
    time.textContent = new Intl.DateTimeFormat(undefined, STYLES[time.dataset.when] ?? STYLES.date).format(moment);
  }
}
