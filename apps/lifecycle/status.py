"""Owns what an instance says of itself: its state, verdicts and figures, read from the scoreboard alone.

Asks nobody: answering costs some memory reads, whatever state the database is in.
"""

import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from apps.lifecycle.checks import LIMIT_SECONDS, POOL_PERIOD_SECONDS
from apps.lifecycle.rules import check_verdict, next_state, worst_verdicts
from apps.lifecycle.scoreboard import Scoreboard, Slot, current
from apps.lifecycle.vocabulary import CheckName, InstanceState

_NOT_CHECKED = "not checked yet"


def worker_verdicts(slot: Slot, now: float) -> dict[str, str]:
    """One worker's verdict on each check."""
    return {
        name.value: check_verdict(
            seen, now=now, period_seconds=_period_seconds(name), limit_seconds=LIMIT_SECONDS
        )
        for name, seen in slot.checks_seen().items()
    }


def _period_seconds(name: CheckName) -> float:
    return POOL_PERIOD_SECONDS if name is CheckName.POOL else float(settings.HEALTH_INTERVAL_SECONDS)


def verdicts(board: Scoreboard | None, now: float) -> dict[str, str]:
    """The instance's verdict on each check; of workers that still warm up only when there is no other."""
    slots = list(board.slots()) if board else []
    asked = [slot for slot in slots if slot.warmed] or slots
    found = worst_verdicts(worker_verdicts(slot, now) for slot in asked)
    return found or {name.value: _NOT_CHECKED for name in CheckName}


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
    return reached, {"status": reached.value, "checks": found, **identity()}


def report() -> dict[str, Any]:
    """What /statusz says: everything an operator or the fleet tool wants."""
    now, board = time.monotonic(), current()
    found = verdicts(board, now)
    whole: dict[str, Any] = {**identity(), "state": state(board, found, now).value}
    if board is None:
        return whole | {"checks": {}, "workers": []}
    slots = list(board.slots())
    return whole | {
        "phase": board.phase.value,
        "uptime_seconds": round(now - board.began_at, 1),
        "cold_start_ms": _cold_start(board),
        "requests": {
            "in_flight": _total(slots, "threads_busy"),
            "waiting": _total(slots, "requests_waiting"),
            "total": _total(slots, "requests_total"),
        },
        "threads": {
            "busy": _total(slots, "threads_busy"),
            "total": settings.WEB_THREADS * board.workers_wanted,
        },
        "pool": _pool(slots),
        "checks": _checks(slots, found, now),
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
    names = ("min", "max", "size", "available", "waiting", "refused_total")
    return {name: _total(slots, f"pool_{name}") for name in names}


def _checks(slots: list[Slot], found: Mapping[str, str], now: float) -> dict[str, Any]:
    return {name.value: _check(slots, name, found, now) for name in CheckName}


def _check(slots: list[Slot], name: CheckName, found: Mapping[str, str], now: float) -> dict[str, Any]:
    seen = [slot.checks_seen()[name] for slot in slots]
    times = [one.finished_at for one in seen if one.finished_at is not None]
    return {
        "status": found.get(name.value, _NOT_CHECKED),
        "age_seconds": round(now - min(times), 2) if times else None,
        "took_ms": round(max((one.took_ms for one in seen), default=0.0), 2),
    }


def _worker(slot: Slot, now: float) -> dict[str, Any]:
    return {
        "pid": int(slot.pid),
        "warm": bool(slot.warmed),
        "stopping": bool(slot.stopping),
        "age_seconds": round(now - slot.reserved_at, 1),
        "threads_busy": int(slot.threads_busy),
        "requests_waiting": int(slot.requests_waiting),
        "checks": worker_verdicts(slot, now),
    }
