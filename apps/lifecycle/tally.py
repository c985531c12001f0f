"""Owns what a worker counts: its answers' failures, reads and how long those took, bytes in and out. Decides nothing.

Two releases are compared by these numbers, so they are exact: threads take turns.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from apps.lifecycle import scoreboard
from apps.lifecycle.rules import latency_bucket

# What a release can be wrong about. A refusal for lack of room (503) or a full store (507) is no failure.
FAILURES = frozenset({500, 502, 504})
_turn = threading.Lock()


def answered(*, method: str, status_code: int, seconds: float) -> None:
    """Count one answer of the site. Only GETs are timed: what brings a body takes what its sender takes."""
    read = method == "GET"
    slot = _add(
        failures_total=int(status_code in FAILURES), reads_total=int(read), read_seconds_total=seconds * read
    )
    if slot is not None and read:
        with _turn:
            slot.read_buckets[latency_bucket(seconds)] += 1


def broke() -> None:
    """Count an answer that the site never gave, or not to its end."""
    _add(failures_total=1)


def arrived(*, size: int, whole: bool) -> None:
    """Count bytes of an upload that are durable now, and the upload if these were its last."""
    _add(arrived_bytes_total=size, uploads_total=int(whole))


def given(*, size: int) -> None:
    """Count one download that began, with all its bytes: others stream them, so nobody here sees how many went."""
    _add(given_bytes_total=size, downloads_total=1)


def refused(so_far: int) -> None:
    """Count what the pool has refused since it was last asked; a pool only says how many in all (`so_far`)."""
    slot = scoreboard.own_slot()
    if slot is not None:
        with _turn:
            # Several threads ask: what an earlier one said may come later.
            slot.pool_refused_total += max(0, so_far - slot.pool_refused)
            slot.pool_refused = max(so_far, slot.pool_refused)


@contextmanager
def uploading() -> Iterator[None]:
    """Count a request that brings an upload's bytes, while it does."""
    _add(uploads_active=1)
    try:
        yield
    finally:
        _add(uploads_active=-1)


def _add(**amounts: float) -> scoreboard.Slot | None:
    slot = scoreboard.own_slot()
    if slot is not None:
        with _turn:
            for field, amount in amounts.items():
                setattr(slot, field, getattr(slot, field) + amount)
    return slot
