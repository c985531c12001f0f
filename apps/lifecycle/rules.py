"""Owns the decisions of an instance's life: its state, what counts as a failed check, who may hand over.

Pure functions of what was seen; no clock, no I/O, no Django. All times are seconds of one monotonic clock.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from apps.lifecycle.vocabulary import CHECK_OK, DrainPhase, InstanceState

STALE_PERIODS = 3.0
# No check may take longer than this; one that does has failed, whatever it says later. Not less: on a machine with too
# much to do every instance would call itself unready in the same moment, and nobody would be served at all.
LIMIT_SECONDS = 2.5
POOL_PERIOD_SECONDS = 0.5
NOT_CHECKED = "not checked yet"
# Upper ends of the buckets in which the times of reads are counted; the last bucket has none. Fixed, so that buckets of
# several instances, and of two releases, can be added up.
LATENCY_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LATENCY_BUCKETS = len(LATENCY_SECONDS) + 1


@dataclass(frozen=True)
class CheckSeen:
    """One check as a worker last saw it. `finished_at` None: never; `running_since` None: not running now."""

    ok: bool = False
    reason: str = ""
    finished_at: float | None = None
    running_since: float | None = None
    took_ms: float = 0.0


def check_verdict(seen: CheckSeen, *, now: float, period_seconds: float, limit_seconds: float) -> str:
    """The word "ok", or why not, in a few words.

    A check that runs longer than its limit has failed, whatever it said before: what hangs is not there. A
    result older than three periods is a failure too: then the checking itself is what hangs.
    """
    if seen.running_since is not None and now - seen.running_since > limit_seconds:
        return f"no answer for {now - seen.running_since:.0f} s"
    if seen.finished_at is None:
        return NOT_CHECKED
    if now - seen.finished_at > STALE_PERIODS * period_seconds:
        return f"last checked {now - seen.finished_at:.0f} s ago"
    return CHECK_OK if seen.ok else (seen.reason or "failed")


def worst_verdicts(workers: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """One verdict per check for the whole instance: a check is ok only when it is in every worker."""
    merged: dict[str, str] = {}
    for verdicts in workers:
        for name, verdict in verdicts.items():
            if merged.get(name, CHECK_OK) == CHECK_OK:
                merged[name] = verdict
    return merged


def all_ok(verdicts: Mapping[str, str]) -> bool:
    """Whether there are verdicts and none is a failure."""
    return bool(verdicts) and all(verdict == CHECK_OK for verdict in verdicts.values())


def next_state(
    *,
    phase: DrainPhase,
    warmed: Sequence[bool],
    workers_wanted: int,
    was_ready: bool,
    verdicts: Mapping[str, str],
) -> InstanceState:
    """The state of an instance whose workers have `warmed` up or not.

    Before it was ever ready an instance needs all its workers; afterwards one worker that died and warms up
    again does not take the others out of service.
    """
    if phase is not DrainPhase.SERVING:
        return InstanceState.DRAINING
    if not may_leave_starting(warmed=warmed, workers_wanted=workers_wanted, was_ready=was_ready):
        return InstanceState.STARTING
    return InstanceState.READY if all_ok(verdicts) else InstanceState.UNREADY


def may_leave_starting(*, warmed: Sequence[bool], workers_wanted: int, was_ready: bool) -> bool:
    """Whether enough workers have warmed up."""
    return any(warmed) if was_ready else sum(warmed) >= workers_wanted


def may_hand_over(*, phase: DrainPhase, worker_stopping: bool) -> bool:
    """Whether a long request (an upload) should commit and let go now.

    Not while the drain is only announced: proxies still route here, and the client's next request would come
    back.
    """
    return worker_stopping or phase is DrainPhase.STOPPING


@dataclass(frozen=True)
class PoolSeen:
    """A connection pool at one moment. `refused` counts requests that got none, since the start."""

    size: int
    available: int
    waiting: int
    refused: int


@dataclass(frozen=True)
class PoolTrouble:
    """What is remembered between two looks at a pool."""

    waiting_since: float | None = None
    refused: int = 0
    refused_at: float | None = None


def pool_trouble(before: PoolTrouble, seen: PoolSeen, *, now: float) -> PoolTrouble:
    """What to remember after a look: since when requests have been waiting, and when one was last refused."""
    waits = seen.waiting > 0 and seen.available == 0
    since = (before.waiting_since if before.waiting_since is not None else now) if waits else None
    refused_at = now if seen.refused > before.refused else before.refused_at
    return PoolTrouble(waiting_since=since, refused=seen.refused, refused_at=refused_at)


def pool_verdict(trouble: PoolTrouble, seen: PoolSeen, *, now: float, moment_seconds: float) -> str:
    """The word "ok", unless the pool holds nothing, or requests have waited for longer than a moment."""
    if seen.size == 0:
        return "no connection is open"
    if trouble.waiting_since is not None and now - trouble.waiting_since > moment_seconds:
        return "exhausted: requests wait for a connection"
    if trouble.refused_at is not None and now - trouble.refused_at < moment_seconds:
        return "exhausted: a request got no connection"
    return CHECK_OK


def drain_outlasts_detection(*, drain_seconds: float, proxy_check_seconds: float) -> bool:
    """Whether every proxy has noticed before the instance stops: two of its looks, and a second to act."""
    return drain_seconds >= 2 * proxy_check_seconds + 1


def latency_bucket(seconds: float) -> int:
    """Which bucket a time is counted in."""
    return bisect_left(LATENCY_SECONDS, seconds)


def latency_quantile(buckets: Sequence[int], share: float) -> float | None:
    """The seconds within which `share` (0 to 1) of the counted reads were answered; None when there were none.

    Read off between a bucket's two ends in proportion, as Prometheus' histogram_quantile does. What lies in the last
    bucket is said to have taken as long as where that begins.
    """
    wanted, below = share * sum(buckets), 0
    if wanted <= 0:
        return None
    for index, count in enumerate(buckets[: len(LATENCY_SECONDS)]):
        if count and below + count >= wanted:
            lower = LATENCY_SECONDS[index - 1] if index else 0.0
            return lower + (LATENCY_SECONDS[index] - lower) * (wanted - below) / count
        below += count
    return LATENCY_SECONDS[-1]
