"""Owns what Prometheus sees of requests, and the text of /metrics. One scrape covers all processes of an instance.

Counters and histograms lie in files of this process (prometheus-client's multiprocess mode); what an instance is at
this moment is read from the scoreboard when somebody asks (apps.lifecycle.figures).
"""

import os
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

from apps.lifecycle import departed

REQUESTS = Counter(
    "spillway_requests", "Requests answered, by method, route and status.", ["method", "route", "status"]
)
SECONDS = Histogram(
    "spillway_request_seconds",
    "Time to the answer's headers, by method and route; an upload's includes its body.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0),
)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def observe(*, method: str, route: str, status_code: int, seconds: float) -> None:
    """Count one answered request."""
    # A client may invent methods; each new label value would cost memory for ever.
    known = method if method in _METHODS else "other"
    REQUESTS.labels(known, route, str(status_code)).inc()
    SECONDS.labels(known, route).observe(seconds)


def exposition(now: Collector) -> bytes:
    """The text of /metrics: what all processes counted, and what `now` says of this moment."""
    return generate_latest(registry(now))


class _Counted(MultiProcessCollector):
    """What all processes counted, those that have ended included, at one moment."""

    def collect(self) -> Iterable[Metric]:
        """All of it is read before the lock goes back."""
        with departed.settled(Path(self._path)):
            return list(super().collect())  # type: ignore[no-untyped-call]


def registry(now: Collector) -> CollectorRegistry:
    """What `exposition` is made of, for servers that make the text themselves."""
    whole = CollectorRegistry()
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        whole.register(_Counted(None, folder))  # type: ignore[no-untyped-call]
    else:
        whole.register(REGISTRY)
    whole.register(now)
    return whole
