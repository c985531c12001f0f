"""Owns the memory that the processes of one instance share: the drain's phase and one slot per worker.

An anonymous mmap made before the fork, so that whichever worker is asked can answer for the whole instance,
and a drain reaches all of them at once. Each field has one writer at a time and is one aligned machine word,
hence no locks between processes. Knows nothing of Django.
"""

import ctypes
import mmap
import os
import secrets
import time
from collections.abc import Iterator
from typing import Final

from apps.lifecycle.rules import LATENCY_BUCKETS, CheckSeen
from apps.lifecycle.vocabulary import CheckName, DrainPhase, StartPhase

_PHASES: Final = tuple(DrainPhase)
_CHECKS: Final = tuple(CheckName)
_START: Final = tuple(StartPhase)
_REASON_BYTES: Final = 120
# What is summed over an instance's life, workers that have ended included: a slot is handed on with its totals, and the
# next worker counts on from there. So whoever adds up all slots, at any moment, never sees less than before.
_TOTALS: Final = (
    *("requests_total", "failures_total", "reads_total", "read_seconds_total", "read_buckets"),
    *("arrived_bytes_total", "uploads_total", "given_bytes_total", "downloads_total", "pool_refused_total"),
)


class _Check(ctypes.Structure):
    _fields_ = [
        ("ok", ctypes.c_int64),
        ("finished_at", ctypes.c_double),
        ("running_since", ctypes.c_double),
        ("took_ms", ctypes.c_double),
        ("reason", ctypes.c_char * _REASON_BYTES),
    ]

    def began(self, now: float) -> None:
        """Say that it runs, so that others can see when it hangs."""
        self.running_since = now

    def ended(self, *, ok: bool, reason: str, began: float, now: float) -> None:
        """Put a result. Its time comes last: a reader in between sees an old result, not half a new one."""
        self.ok = int(ok)
        self.reason = reason.encode(errors="replace")[: _REASON_BYTES - 1]
        self.took_ms = (now - began) * 1000
        self.finished_at = now
        self.running_since = 0.0

    def seen(self) -> CheckSeen:
        """As it was last put."""
        return CheckSeen(
            ok=bool(self.ok),
            reason=self.reason.decode(errors="replace"),
            finished_at=self.finished_at or None,
            running_since=self.running_since or None,
            took_ms=self.took_ms,
        )


class Slot(ctypes.Structure):
    """What one worker says of itself. Numbers are gauges unless named otherwise; a time of 0.0 is never.

    Totals are those of the workers before it in this slot too; `pool_refused` is what this worker's own pool says. A
    `queue_depth` or `files_waiting` of -1 has not been seen yet.
    """

    _fields_ = [
        ("taken", ctypes.c_int64),
        ("pid", ctypes.c_int64),
        ("reserved_at", ctypes.c_double),
        ("warmed", ctypes.c_int64),
        ("stopping", ctypes.c_int64),
        ("threads_busy", ctypes.c_int64),
        ("requests_waiting", ctypes.c_int64),
        ("requests_total", ctypes.c_int64),
        ("failures_total", ctypes.c_int64),
        ("reads_total", ctypes.c_int64),
        ("read_seconds_total", ctypes.c_double),
        ("read_buckets", ctypes.c_int64 * LATENCY_BUCKETS),
        ("arrived_bytes_total", ctypes.c_int64),
        ("uploads_total", ctypes.c_int64),
        ("given_bytes_total", ctypes.c_int64),
        ("downloads_total", ctypes.c_int64),
        ("uploads_active", ctypes.c_int64),
        ("queue_depth", ctypes.c_int64),
        ("files_waiting", ctypes.c_int64),
        ("oldest_waiting_seconds", ctypes.c_double),
        ("pool_min", ctypes.c_int64),
        ("pool_max", ctypes.c_int64),
        ("pool_size", ctypes.c_int64),
        ("pool_available", ctypes.c_int64),
        ("pool_waiting", ctypes.c_int64),
        ("pool_refused_total", ctypes.c_int64),
        ("pool_refused", ctypes.c_int64),
        ("free_bytes", ctypes.c_int64),
        ("start_ms", ctypes.c_double * len(_START)),
        ("checks", _Check * len(_CHECKS)),
        ("first_page", _Check),
    ]

    def check_began(self, name: CheckName, now: float) -> None:
        """Say that a check runs."""
        self.checks[_CHECKS.index(name)].began(now)

    def check_ended(self, name: CheckName, *, ok: bool, reason: str, began: float, now: float) -> None:
        """Put a check's result."""
        self.checks[_CHECKS.index(name)].ended(ok=ok, reason=reason, began=began, now=now)

    def checks_seen(self) -> dict[CheckName, CheckSeen]:
        """All checks as this worker last saw them."""
        return {name: cell.seen() for name, cell in zip(_CHECKS, self.checks, strict=True)}

    def put_start(self, phase: StartPhase, milliseconds: float) -> None:
        """How long a part of this worker's start took."""
        self.start_ms[_START.index(phase)] = milliseconds


class _Header(ctypes.Structure):
    _fields_ = [
        ("phase", ctypes.c_int64),
        ("phase_at", ctypes.c_double),
        ("began_at", ctypes.c_double),
        ("workers_wanted", ctypes.c_int64),
        ("first_ready_at", ctypes.c_double),
        ("started_at", ctypes.c_double),
        ("boot", ctypes.c_int64),
        ("master_pid", ctypes.c_int64),
        ("start_ms", ctypes.c_double * len(_START)),
    ]


class Scoreboard:
    """The shared memory. Made by the master before it forks; each worker writes to its own slot."""

    def __init__(self, *, workers: int, began_at: float | None = None) -> None:
        # A worker that ends and its successor overlap for a moment, hence twice as many slots as workers.
        count = 2 * workers + 2
        self._memory = mmap.mmap(-1, ctypes.sizeof(_Header) + count * ctypes.sizeof(Slot))
        self._header = _Header.from_buffer(self._memory)
        self._slots = (Slot * count).from_buffer(self._memory, ctypes.sizeof(_Header))
        self._header.workers_wanted = workers
        self._header.began_at = time.monotonic() if began_at is None else began_at
        # Once: clocks are set, and what is worked out anew each time would seem to be another start.
        self._header.started_at = time.time() - (time.monotonic() - self._header.began_at)
        # Tells two lives under one name apart. A number that every language's JSON holds exactly.
        self._header.boot = secrets.randbits(52)
        self._header.master_pid = os.getpid()

    @property
    def phase(self) -> DrainPhase:
        """How far a shutdown has come."""
        phase: DrainPhase = _PHASES[self._header.phase]
        return phase

    def enter_phase(self, phase: DrainPhase) -> None:
        """Only the master calls this; safe in a signal handler (two stores, nothing else)."""
        self._header.phase_at = time.monotonic()
        self._header.phase = _PHASES.index(phase)

    @property
    def began_at(self) -> float:
        """When the instance's process began."""
        return float(self._header.began_at)

    @property
    def started_at(self) -> float:
        """The same moment in seconds since the epoch, by the clock as it was then."""
        return float(self._header.started_at)

    @property
    def boot(self) -> str:
        """Which life of an instance this is: another one under the same name has another."""
        return str(self._header.boot)

    @property
    def master_pid(self) -> int:
        """The process that made this: where a SIGTERM is a drain."""
        return int(self._header.master_pid)

    @property
    def workers_wanted(self) -> int:
        """How many workers the instance should have."""
        return int(self._header.workers_wanted)

    @property
    def first_ready_at(self) -> float | None:
        """When the instance was ready for the first time."""
        return self._header.first_ready_at or None

    def note_ready(self, now: float) -> None:
        """Remember that the instance has been ready; the first time counts."""
        if not self._header.first_ready_at:
            self._header.first_ready_at = now

    def put_start(self, phase: StartPhase, milliseconds: float) -> None:
        """How long a part of the master's start took."""
        self._header.start_ms[_START.index(phase)] = milliseconds

    def start_phases_ms(self) -> dict[str, float]:
        """The cold start by phase: the master's parts, and of the workers' parts the slowest."""
        rows = [self._header.start_ms, *(slot.start_ms for slot in self.slots())]
        return {name.value: round(max(row[i] for row in rows), 1) for i, name in enumerate(_START)}

    def slots(self) -> Iterator[Slot]:
        """The slots of living workers."""
        return (slot for slot in self._slots if slot.taken)

    def reserve(self) -> int:
        """Take a slot for a worker about to be forked. Only the master calls it, so nobody races."""
        for index, slot in enumerate(self._slots):
            if not slot.taken or not _alive(slot.pid):
                self._retire(slot)
                _clear(slot)
                slot.pid = os.getpid()  # until the worker puts its own: reserved by a living process
                slot.reserved_at = time.monotonic()
                slot.queue_depth = slot.files_waiting = -1
                slot.taken = 1
                return index
        raise RuntimeError("more worker processes than the scoreboard has slots")

    def attach(self, index: int) -> Slot:
        """The worker's own slot, in the worker."""
        slot: Slot = self._slots[index]
        slot.pid = os.getpid()
        return slot

    def release(self, index: int) -> None:
        """Give back the slot of a worker that has ended."""
        self._retire(self._slots[index])

    def total(self, field: str) -> float:
        """One of the slots' totals over the instance's life, workers that have ended included."""
        found: float = sum(getattr(slot, field) for slot in self._slots)
        return found

    def read_buckets(self) -> list[int]:
        """Reads by how long they took (rules.LATENCY_SECONDS), over the instance's life."""
        return [sum(slot.read_buckets[i] for slot in self._slots) for i in range(LATENCY_BUCKETS)]

    def speaks(self, slot: Slot | None) -> bool:
        """Whether this worker is the one that speaks for the instance: the first that lives."""
        first = next(self.slots(), None)
        return first is not None and slot is not None and ctypes.addressof(first) == ctypes.addressof(slot)

    def _retire(self, slot: Slot) -> None:
        """Keep what a worker counted; what it was at when it ended was never answered. Only the master's."""
        if not slot.taken:
            return
        slot.taken = 0
        slot.failures_total += max(slot.threads_busy, 0)


def _clear(slot: Slot) -> None:
    """All but the totals, field by field: they must not be gone even for a moment."""
    for name, *_ in Slot._fields_:
        if name not in _TOTALS:
            field = getattr(Slot, name)
            ctypes.memset(ctypes.addressof(slot) + field.offset, 0, field.size)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


_board: Scoreboard | None = None
_own_slot: Slot | None = None


def install(board: Scoreboard | None, slot: Slot | None = None) -> None:
    """Make `board` this process's scoreboard, and `slot` its own part of it (None in the master)."""
    global _board, _own_slot
    _board, _own_slot = board, slot


def current() -> Scoreboard | None:
    """This process's scoreboard; None outside a web instance (a Celery worker, a command, a test)."""
    return _board


def own_slot() -> Slot | None:
    """This worker's slot; None outside a worker of a web instance."""
    return _own_slot
