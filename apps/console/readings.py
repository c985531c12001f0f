"""Owns what the last hour's numbers were, put together from what instances said of themselves. Reads Redis only."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from apps.console.rules import differences
from apps.lifecycle.heartbeats import MINUTES, Heartbeat, Minute, Totals, fleet_seen, minutes_seen
from apps.lifecycle.rules import LATENCY_BUCKETS, latency_quantile

_COUNTS = ("requests", "failures", "arrived_bytes", "uploads", "given_bytes", "downloads")
_GAUGES = ("queue_depth", "uploads_active")
_RECENT = 5  # minutes that an instance's own figures are of


@dataclass(frozen=True)
class Hour:
    """The fleet's last hour. Each list has a number a minute, oldest first; the last minute is not over.

    `seen` is False when Redis could not be asked: then everything is empty.
    """

    seen: bool = False
    now: float = 0.0
    fleet: Sequence[Heartbeat] = ()
    counts: Mapping[str, Sequence[float]] = field(default_factory=dict)
    gauges: Mapping[str, Sequence[float]] = field(default_factory=dict)
    # instance -> (seconds or None) a minute.
    p50: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    p95: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    # instance -> (p50, p95) over the last minutes.
    recent: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)

    def lately(self, name: str) -> float:
        """A count a second, over the last whole minute and what there is of this one."""
        values = self.counts.get(name) or [0.0]
        return sum(values[-2:]) / (60.0 + self.now % 60.0)

    def last(self, name: str) -> float:
        """A gauge as it was last seen."""
        return (self.gauges.get(name) or [0.0])[-1]


def hour_read() -> Hour:
    """The last hour; empty when Redis cannot be reached."""
    now = time.time()
    last = int(now // 60)
    try:
        minutes = minutes_seen(range(last - MINUTES, last + 1))
        fleet = fleet_seen()
    except (RedisError, OSError):
        return Hour(now=now)
    return hour_of(minutes, fleet=fleet, now=now)


def hour_of(minutes: Sequence[Minute], *, fleet: Sequence[Heartbeat], now: float) -> Hour:
    """The hour that these minutes (one more than an hour has: the ground) add up to."""
    lives = {life for minute in minutes for life in minute}
    began = now - 60.0 * len(minutes)
    rows = {life: [minute.get(life) for minute in minutes] for life in lives}
    counts = {name: _summed(_counted(row, name, began) for row in rows.values()) for name in _COUNTS}
    buckets = _buckets_by_instance(rows, began)
    return Hour(
        seen=True,
        now=now,
        fleet=fleet,
        counts=counts,
        gauges={name: [_gauge(minute, name) for minute in minutes[1:]] for name in _GAUGES},
        p50={name: [latency_quantile(each, 0.5) for each in rows] for name, rows in buckets.items()},
        p95={name: [latency_quantile(each, 0.95) for each in rows] for name, rows in buckets.items()},
        recent={name: _recent(rows) for name, rows in buckets.items()},
    )


def _counted(row: Sequence[Totals | None], name: str, began: float) -> list[float]:
    totals = [None if each is None else float(getattr(each, name)) for each in row]
    return differences(totals, from_nothing=_is_young(row, began))


def _is_young(row: Sequence[Totals | None], began: float) -> bool:
    """Whether this life began within the hour: then it had counted nothing before."""
    return any(each is not None and each.began_at >= began for each in row)


def _gauge(minute: Minute, name: str) -> float:
    values = [float(getattr(each, name)) for each in minute.values()]
    # Every instance sees the same queue; each has uploads of its own.
    return max(values, default=0.0) if name == "queue_depth" else sum(values)


def _buckets_by_instance(
    rows: Mapping[tuple[str, str], Sequence[Totals | None]], began: float
) -> dict[str, list[list[int]]]:
    """instance -> minute -> how many reads fell in each bucket."""
    found = dict[str, list[list[int]]]()
    for (instance, _), row in sorted(rows.items()):
        columns = [
            differences([_bucket(each, index) for each in row], from_nothing=_is_young(row, began))
            for index in range(LATENCY_BUCKETS)
        ]
        mine = [[int(column[minute]) for column in columns] for minute in range(len(row) - 1)]
        found[instance] = _added(found[instance], mine) if instance in found else mine
    return found


def _bucket(totals: Totals | None, index: int) -> float | None:
    if totals is None:
        return None
    return float(totals.buckets[index]) if index < len(totals.buckets) else 0.0


def _added(one: list[list[int]], other: list[list[int]]) -> list[list[int]]:
    return [[a + b for a, b in zip(x, y, strict=True)] for x, y in zip(one, other, strict=True)]


def _recent(rows: Sequence[Sequence[int]]) -> tuple[float | None, float | None]:
    together = [sum(column) for column in zip(*rows[-_RECENT:], strict=True)]
    return latency_quantile(together, 0.5), latency_quantile(together, 0.95)


def _summed(rows: Iterable[Sequence[float]]) -> list[float]:
    found = [sum(column) for column in zip(*rows, strict=True)]
    return found or [0.0] * MINUTES
