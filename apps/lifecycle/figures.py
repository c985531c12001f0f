"""Owns what Prometheus sees of an instance at this moment: the scoreboard as metrics, read when somebody asks.

Asks nobody: a scrape costs some memory reads, whatever state the database is in. Labels have the values of enums.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from apps.lifecycle import scoreboard, status
from apps.lifecycle.rules import NOT_CHECKED
from apps.lifecycle.scoreboard import Scoreboard
from apps.lifecycle.vocabulary import CHECK_OK, InstanceState

# What others scale by: deploy/kubernetes names them.
UTILISATION = "spillway_utilisation"
QUEUE_DEPTH = "spillway_queue_depth"
# Metric -> its help and where it lies in what /statusz says.
_GAUGES = {
    "spillway_requests_in_flight": (
        "Requests that are being answered: each by a thread, so as many as threads are busy.",
        ("requests", "in_flight"),
    ),
    "spillway_requests_waiting": ("Requests that wait for a thread.", ("requests", "waiting")),
    "spillway_threads_busy": (
        "Threads that answer a request: as many as requests are in flight.",
        ("threads", "busy"),
    ),
    "spillway_threads_max": ("Threads of the instance.", ("threads", "total")),
    "spillway_pool_min": ("Database connections that are kept open.", ("pool", "min")),
    "spillway_pool_max": ("Database connections that there may be.", ("pool", "max")),
    "spillway_pool_size": ("Database connections that there are.", ("pool", "size")),
    "spillway_pool_available": ("Database connections that nobody uses.", ("pool", "available")),
    "spillway_pool_waiting": ("Requests that wait for a database connection.", ("pool", "waiting")),
    QUEUE_DEPTH: ("Messages that wait for a worker.", ("queue_depth",)),
    "spillway_files_waiting": ("Files that wait for a worker.", ("backlog", "files")),
    "spillway_queue_age_seconds": (
        "How long the oldest of the files that wait for a worker has been there for one to take.",
        ("backlog", "oldest_seconds"),
    ),
    "spillway_uploads_active": ("Requests that bring an upload's bytes.", ("uploads_active",)),
    "spillway_storage_free_bytes": ("Free space of the store.", ("storage", "free_bytes")),
}
# Metric without `_total` -> its help and the scoreboard's total.
_COUNTERS = {
    "spillway_answers_failed": ("Answers that were errors of the site's own.", "failures_total"),
    "spillway_upload_bytes": ("Bytes of uploads that are durable.", "arrived_bytes_total"),
    "spillway_uploads": ("Files that arrived whole.", "uploads_total"),
    "spillway_download_bytes": ("Bytes of the downloads that began.", "given_bytes_total"),
    "spillway_downloads": ("Downloads that began.", "downloads_total"),
    "spillway_pool_refused": ("Requests that got no connection.", "pool_refused_total"),
}


class ReleaseCollector(Collector):
    """Who this is: all that a process without a scoreboard has to say."""

    def collect(self) -> Iterable[Metric]:
        """One info metric."""
        told = {"release": settings.RELEASE, "name": settings.INSTANCE, "role": settings.ROLE}
        yield InfoMetricFamily("spillway_release", "Which code this is, and under which name.", value=told)


class InstanceCollector(ReleaseCollector):
    """The whole instance, whichever of its workers is asked."""

    def collect(self) -> Iterable[Metric]:
        """State, checks, load, pool, start, and what its workers counted on the scoreboard."""
        report, board = status.report(), scoreboard.current()
        yield from super().collect()
        yield _states(report["state"])
        yield _checks(report["checks"])
        yield _gauge("spillway_storage_reserve_bytes", "What uploads leave alone.", settings.MIN_FREE_BYTES)
        yield from _measured(report)
        yield _utilisation(report)
        if board is not None:
            yield from _counted(board)
            yield from _start(report["cold_start_ms"], board)


def _states(now: str) -> Metric:
    family = GaugeMetricFamily(
        "spillway_instance_state", "1 for the state the instance is in.", labels=["state"]
    )
    for name in InstanceState:
        family.add_metric([name.value], float(name.value == now))
    return family


def _checks(found: Mapping[str, Any]) -> Metric:
    """What has not been checked yet is neither."""
    family = GaugeMetricFamily("spillway_check_ok", "1 when the check is ok.", labels=["check"])
    for name, seen in found.items():
        if seen["status"] != NOT_CHECKED:
            family.add_metric([name], float(seen["status"] == CHECK_OK))
    return family


def _measured(report: Mapping[str, Any]) -> Iterable[Metric]:
    """What has not been seen yet is left out: a 0 would be a claim."""
    for name, (meaning, path) in _GAUGES.items():
        value: Any = report
        for step in path:
            value = (value or {}).get(step)
        if value is not None:
            yield _gauge(name, meaning, value)


def _utilisation(report: Mapping[str, Any]) -> Metric:
    """What the fleet tool's autoscaler computes of /statusz (deploy/fleet/autoscale.py), for others that scale."""
    requests, total = report.get("requests", {}), report.get("threads", {}).get("total", 0)
    needed = requests.get("in_flight", 0) + requests.get("waiting", 0)
    return _gauge(
        UTILISATION,
        "The share of its threads that the instance needs: above 1 when requests wait for one.",
        needed / total if total else 0.0,
    )


def _counted(board: Scoreboard) -> Iterable[Metric]:
    for name, (meaning, field) in _COUNTERS.items():
        yield CounterMetricFamily(name, meaning, value=board.total(field))


def _start(phases_ms: Mapping[str, float | None], board: Scoreboard) -> Iterable[Metric]:
    family = GaugeMetricFamily(
        "spillway_start_seconds",
        "How long each part of the cold start took, and all of it.",
        labels=["phase"],
    )
    for phase, milliseconds in phases_ms.items():
        if milliseconds is not None:
            family.add_metric([phase], milliseconds / 1000)
    yield family
    yield _gauge("spillway_started_at_seconds", "When the instance began, since the epoch.", board.started_at)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=float(value))
