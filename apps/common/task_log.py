"""Owns what every task gets: the id of the request that asked for it, a log line, and a place in the metrics.

A task that nobody's request asked for (beat's) is known by its own id, and what it enqueues goes on under that.
Knows no task by name.
"""

import time
from typing import TYPE_CHECKING, Any

import structlog
from celery.signals import (
    beat_init,
    before_task_publish,
    celeryd_init,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_process_shutdown,
)

from apps.common import watching
from apps.common.metrics import TASK_SECONDS

if TYPE_CHECKING:
    from celery import Task  # brings half of Celery along, into every web instance's start

logger = structlog.get_logger(__name__)
_HEADER = "request_id"


def install() -> None:
    """Listen to Celery's signals, in whatever process this is. Doing it twice changes nothing."""
    before_task_publish.connect(_publish, dispatch_uid="spillway.publish")
    task_prerun.connect(_begin, dispatch_uid="spillway.begin")
    task_postrun.connect(_end, dispatch_uid="spillway.end")
    setup_logging.connect(_logs_are_ours, dispatch_uid="spillway.logs")
    celeryd_init.connect(_worker_begins, dispatch_uid="spillway.worker")
    beat_init.connect(_beat_begins, dispatch_uid="spillway.beat")
    worker_process_init.connect(_child_begins, dispatch_uid="spillway.child")
    worker_process_shutdown.connect(_child_ends, dispatch_uid="spillway.child")


def _publish(headers: dict[str, Any], **_: Any) -> None:
    asked_by = structlog.contextvars.get_contextvars().get("request_id")
    if asked_by:
        headers.setdefault(_HEADER, asked_by)


def _begin(task_id: str, task: "Task[Any, Any]", **_: Any) -> None:
    asked_by = (task.request.headers or {}).get(_HEADER) or task_id
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=asked_by, task=task.name)
    task.request.began = time.perf_counter()  # type: ignore[attr-defined]  # a place of ours in what Celery keeps of the run


def _end(task: "Task[Any, Any]", state: str | None = None, **_: Any) -> None:
    began = getattr(task.request, "began", None)
    if began is not None:
        seconds = time.perf_counter() - began
        outcome = (state or "unknown").lower()
        TASK_SECONDS.labels(task.name, outcome).observe(seconds)
        logger.info("task", outcome=outcome, ms=round(seconds * 1000, 1))
    structlog.contextvars.clear_contextvars()


def _worker_begins(**_: Any) -> None:
    """Before it forks."""
    watching.begin_reports()


def _beat_begins(**_: Any) -> None:
    watching.begin()


def _child_begins(**_: Any) -> None:
    watching.begin()


def _child_ends(**_: Any) -> None:
    watching.end()


def _logs_are_ours(**_: Any) -> None:
    """Whoever listens to this signal keeps Celery from setting up logs of its own."""
