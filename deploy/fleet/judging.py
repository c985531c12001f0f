"""Owns the question whether a new release is worse than the old one. Pure: figures in, words out."""

from dataclasses import dataclass

from deploy.fleet.ports import Report

FAILURES_LEAST = 5
SHARE_MARGIN = 0.02
SHARE_FACTOR = 3.0
# Where few requests came so far: fewer failures are enough if they are a large share.
FEW_FAILURES_LEAST = 3
FEW_SHARE = 0.20
READS_LEAST = 30
READ_FACTOR = 2.0
READ_MARGIN_SECONDS = 0.05


@dataclass(frozen=True)
class Tally:
    """What instances of one release did for a while. See deploy.fleet.ports.Report for what the words mean."""

    requests: int = 0
    failures: int = 0
    reads: int = 0
    read_seconds: float = 0.0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.requests + other.requests,
            self.failures + other.failures,
            self.reads + other.reads,
            self.read_seconds + other.read_seconds,
        )

    @property
    def failure_share(self) -> float:
        return self.failures / self.requests if self.requests else 0.0

    @property
    def mean_read_seconds(self) -> float:
        return self.read_seconds / self.reads if self.reads else 0.0


def tally_between(before: Report, after: Report) -> Tally:
    """What one instance did between two reports."""
    if after.uptime_seconds < before.uptime_seconds or after.requests_total < before.requests_total:
        # It was started again in between: its totals count from nothing.
        before = Report()
    return Tally(
        requests=after.requests_total - before.requests_total,
        failures=max(0, after.failures_total - before.failures_total),
        reads=max(0, after.reads_total - before.reads_total),
        read_seconds=max(0.0, after.read_seconds_total - before.read_seconds_total),
    )


def worse(new: Tally, old: Tally, *, with_latency: bool = False) -> str:
    """Why the new release is worse, with figures; "" if it is not, or if too little is known.

    Latency is only asked for where both serve the same visitors at the same time: a canary.
    """
    return _fails_more(new, old) or (_reads_slower(new, old) if with_latency else "")


def _fails_more(new: Tally, old: Tally) -> str:
    few = new.failures >= FEW_FAILURES_LEAST and new.failure_share > FEW_SHARE
    if not (few or new.failures >= FAILURES_LEAST):
        return ""
    if new.failure_share <= _share_allowed(old.failure_share):
        return ""
    return f"{_failures(new)} failed on the new release, {_failures(old)} on the old one"


def _share_allowed(old_share: float) -> float:
    """The largest share that is still no worse. Three times a large share is no bound at all.

    So from 20 % on the new one is worse if it fails half of what the old one still serves.
    """
    return max(old_share + SHARE_MARGIN, min(SHARE_FACTOR * old_share, (1 + old_share) / 2))


def _failures(tally: Tally) -> str:
    return f"{tally.failures} of {tally.requests} requests ({tally.failure_share:.1%})"


def _reads_slower(new: Tally, old: Tally) -> str:
    if min(new.reads, old.reads) < READS_LEAST:
        return ""
    if new.mean_read_seconds <= READ_FACTOR * old.mean_read_seconds + READ_MARGIN_SECONDS:
        return ""
    return f"a read takes {_mean(new)} on the new release, {_mean(old)} on the old one"


def _mean(tally: Tally) -> str:
    return f"{tally.mean_read_seconds * 1000:.0f} ms (mean of {tally.reads})"
