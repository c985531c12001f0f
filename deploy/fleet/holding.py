"""Owns the lock of whoever changes a fleet: one at a time, named, and let go however its holder ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.fleet.errors import BusyError


@contextmanager
def held(file: Path, what: str) -> Iterator[None]:
    """Hold the lock in `file` while the block runs. Raises BusyError that says who has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 200, 0).decode("utf-8", "replace").strip() or "somebody"
            raise BusyError(f"{holder} is changing this fleet: wait until that has ended.") from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"`spillway {what}` (process {os.getpid()})".encode(), 0)
        yield
    finally:
        os.close(handle)
