"""Owns what Prometheus sees: requests and the instance's state. One scrape covers all workers."""

import os
from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

from apps.lifecycle import status
from apps.lifecycle.vocabulary import CHECK_OK, InstanceState

REQUESTS = Counter(
    "spillway_requests",
    "Requests answered, by method, route and class of status.",
    ["method", "view", "status"],
)
SECONDS = Histogram(
    "spillway_request_seconds",
    "Time to the answer's headers, by method and route; an upload's includes its body.",
    ["method", "view"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0),
)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def observe(*, method: str, view: str, status_code: int, seconds: float) -> None:
    """Count one answered request."""
    # A client may invent methods; each new label value would cost memory for ever.
    known = method if method in _METHODS else "other"
    REQUESTS.labels(known, view, f"{status_code // 100}xx").inc()
    SECONDS.labels(known, view).observe(seconds)


def exposition() -> bytes:
    """The text of /metrics."""
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(InstanceCollector())
    return generate_latest(registry)


class InstanceCollector(Collector):
    """The scoreboard as gauges, read when asked."""

    def collect(self) -> Iterable[Metric]:
        """State, checks, load and pool of the whole instance."""
        report = status.report()
        yield _states(report["state"])
        yield _checks(report["checks"])
        for group, fields in (("requests", ("in_flight", "waiting")), ("threads", ("busy", "total"))):
            for field in fields:
                yield _gauge(f"spillway_{group}_{field}", report.get(group, {}).get(field, 0))
        for field, value in report.get("pool", {}).items():
            yield _gauge(f"spillway_pool_{field}", value)


def _states(now: str) -> Metric:
    family = GaugeMetricFamily(
        "spillway_instance_state", "1 for the state the instance is in.", labels=["state"]
    )
    for name in InstanceState:
        family.add_metric([name.value], float(name.value == now))
    return family


def _checks(found: dict[str, Any]) -> Metric:
    family = GaugeMetricFamily("spillway_check_ok", "1 when the check is ok.", labels=["check"])
    for name, seen in found.items():
        family.add_metric([name], float(seen["status"] == CHECK_OK))
    return family


def _gauge(name: str, value: float) -> Metric:
    return GaugeMetricFamily(name, name.replace("_", " "), value=float(value))
