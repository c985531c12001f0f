"""Owns what an instance says of itself: its state, verdicts and figures, read from the scoreboard alone.

Asks nobody: answering costs some memory reads, whatever state the database is in.
"""

import math
import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from apps.lifecycle.rules import (
    LIMIT_SECONDS,
    NOT_CHECKED,
    POOL_PERIOD_SECONDS,
    CheckSeen,
    check_verdict,
    next_state,
    worst_verdicts,
)
from apps.lifecycle.scoreboard import Scoreboard, Slot, current
from apps.lifecycle.vocabulary import CheckName, InstanceState, StartPhase


def worker_verdicts(slot: Slot, now: float) -> dict[str, str]:
    """One worker's verdict on each check."""
    return {
        name.value: check_verdict(
            seen, now=now, period_seconds=_period_seconds(name), limit_seconds=LIMIT_SECONDS
        )
        for name, seen in slot.checks_seen().items()
    }


def first_page_verdict(slot: Slot, now: float) -> dict[str, str]:
    """One worker's verdict on the front page. It is asked for only while the worker starts, so it never ages."""
    verdict = check_verdict(
        slot.first_page.seen(), now=now, period_seconds=math.inf, limit_seconds=LIMIT_SECONDS
    )
    return {StartPhase.FIRST_PAGE.value: verdict}


def _first_page(slots: list[Slot], reached: InstanceState, now: float) -> dict[str, str]:
    """What the front page says in the workers that are not warm yet; nothing once the instance has started."""
    waiting = [slot for slot in slots if not slot.warmed] if reached is InstanceState.STARTING else []
    return worst_verdicts(first_page_verdict(slot, now) for slot in waiting)


def _period_seconds(name: CheckName) -> float:
    return POOL_PERIOD_SECONDS if name is CheckName.POOL else float(settings.HEALTH_INTERVAL_SECONDS)


def verdicts(board: Scoreboard | None, now: float) -> dict[str, str]:
    """The instance's verdict on each check; of workers that still warm up only when there is no other."""
    slots = list(board.slots()) if board else []
    asked = [slot for slot in slots if slot.warmed] or slots
    found = worst_verdicts(worker_verdicts(slot, now) for slot in asked)
    return found or {name.value: NOT_CHECKED for name in CheckName}


def state(board: Scoreboard | None, found: Mapping[str, str], now: float) -> InstanceState:
    """The instance's state now. Remembers the first time that it was ready."""
    if board is None:
        return InstanceState.STARTING
    reached = next_state(
        phase=board.phase,
        warmed=[bool(slot.warmed) for slot in board.slots()],
        workers_wanted=board.workers_wanted,
        was_ready=board.first_ready_at is not None,
        verdicts=found,
    )
    if reached is InstanceState.READY:
        board.note_ready(now)
    return reached


def identity() -> dict[str, str]:
    """Who answers."""
    return {"instance": settings.INSTANCE, "release": settings.RELEASE}


def readiness() -> tuple[InstanceState, dict[str, Any]]:
    """What /readyz says."""
    now, board = time.monotonic(), current()
    found = verdicts(board, now)
    reached = state(board, found, now)
    shown = found | _first_page(list(board.slots()) if board else [], reached, now)
    return reached, {"status": reached.value, "checks": shown, **identity()}


def report() -> dict[str, Any]:
    """What /statusz says: everything an operator or the fleet tool wants."""
    now, board = time.monotonic(), current()
    found = verdicts(board, now)
    reached = state(board, found, now)
    whole: dict[str, Any] = {**identity(), "state": reached.value}
    if board is None:
        return whole | {"checks": {}, "workers": []}
    slots = list(board.slots())
    shown = found | _first_page(slots, reached, now)
    return whole | {
        "phase": board.phase.value,
        "uptime_seconds": round(now - board.began_at, 1),
        "ready_seconds": round(now - board.first_ready_at, 1) if board.first_ready_at else 0.0,
        "cold_start_ms": _cold_start(board),
        "requests": {
            "in_flight": _total(slots, "threads_busy"),
            "waiting": _total(slots, "requests_waiting"),
            "total": board.total("requests_total"),
            "failures": board.total("failures_total"),
            "reads": board.total("reads_total"),
            "read_seconds": round(board.total("read_seconds_total"), 4),
        },
        "queue_depth": max((slot.queue_depth for slot in slots if slot.queue_depth >= 0), default=None),
        "backlog": _backlog(slots),
        "uploads_active": _total(slots, "uploads_active"),
        "check_age_seconds": _check_age(slots, now),
        "threads": {
            "busy": _total(slots, "threads_busy"),
            "total": settings.WEB_THREADS * board.workers_wanted,
        },
        "pool": _pool(slots) | {"refused_total": int(board.total("pool_refused_total"))},
        "checks": _checks(slots, shown, now),
        "storage": {"free_bytes": min((slot.free_bytes for slot in slots if slot.free_bytes), default=None)},
        "workers": [_worker(slot, now) for slot in slots],
    }


def _cold_start(board: Scoreboard) -> dict[str, float | None]:
    ready_at = board.first_ready_at
    total = round((ready_at - board.began_at) * 1000, 1) if ready_at else None
    return {**board.start_phases_ms(), "total": total}


def _total(slots: list[Slot], field: str) -> int:
    return sum(int(getattr(slot, field)) for slot in slots)


def _pool(slots: list[Slot]) -> dict[str, int]:
    names = ("min", "max", "size", "available", "waiting")
    return {name: _total(slots, f"pool_{name}") for name in names}


def _checks(slots: list[Slot], found: Mapping[str, str], now: float) -> dict[str, Any]:
    seen = {name.value: [slot.checks_seen()[name] for slot in slots] for name in CheckName}
    if StartPhase.FIRST_PAGE in found:
        seen[StartPhase.FIRST_PAGE.value] = [slot.first_page.seen() for slot in slots]
    return {name: _check(cells, found.get(name, NOT_CHECKED), now) for name, cells in seen.items()}


def _check(seen: list[CheckSeen], verdict: str, now: float) -> dict[str, Any]:
    times = [one.finished_at for one in seen if one.finished_at is not None]
    return {
        "status": verdict,
        "age_seconds": round(now - min(times), 2) if times else None,
        "took_ms": round(max((one.took_ms for one in seen), default=0.0), 2),
    }


def _backlog(slots: list[Slot]) -> dict[str, float] | None:
    """What waits for a worker, as the worker that speaks for the instance last saw it; None before that."""
    for slot in slots:
        if slot.files_waiting >= 0:
            return {
                "files": int(slot.files_waiting),
                "oldest_seconds": round(slot.oldest_waiting_seconds, 1),
            }
    return None


def _check_age(slots: list[Slot], now: float) -> float | None:
    """The age of the oldest result."""
    seen = [one.finished_at for slot in slots for one in slot.checks_seen().values()]
    times = [finished_at for finished_at in seen if finished_at is not None]
    return round(now - min(times), 2) if times else None


def _worker(slot: Slot, now: float) -> dict[str, Any]:
    return {
        "pid": int(slot.pid),
        "warm": bool(slot.warmed),
        "stopping": bool(slot.stopping),
        "age_seconds": round(now - slot.reserved_at, 1),
        "threads_busy": int(slot.threads_busy),
        "requests_waiting": int(slot.requests_waiting),
        "checks": worker_verdicts(slot, now) | ({} if slot.warmed else first_page_verdict(slot, now)),
    }
