"""Owns what a worker counts of its answers: failures, reads and how long those took. Decides nothing.

Two releases are compared by these numbers, so they are exact: threads take turns.
"""

import threading

from apps.lifecycle import scoreboard

# What a release can be wrong about. A refusal for lack of room (503) or a full store (507) is no failure.
FAILURES = frozenset({500, 502, 504})
_turn = threading.Lock()


def answered(*, method: str, status_code: int, seconds: float) -> None:
    """Count one answer of the site. Only GETs are timed: what brings a body takes what its sender takes."""
    read = method == "GET"
    _add(failures=int(status_code in FAILURES), reads=int(read), read_seconds=seconds if read else 0.0)


def broke() -> None:
    """Count an answer that the site never gave, or not to its end."""
    _add(failures=1)


def _add(*, failures: int = 0, reads: int = 0, read_seconds: float = 0.0) -> None:
    slot = scoreboard.own_slot()
    if slot is None:
        return
    with _turn:
        slot.failures_total += failures
        slot.reads_total += reads
        slot.read_seconds_total += read_seconds
