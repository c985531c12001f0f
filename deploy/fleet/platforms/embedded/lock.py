"""Owns the data folder's lock: one supervisor or management command at a time, and who that is. Starts nothing.

The lock goes with its holder, however that ends. It can be handed on to a child, so that nobody comes in between.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.fleet.errors import DataFolderError
from deploy.fleet.platforms.embedded.data_folder import DataFolder

UP, MANAGE = "up", "manage"
# Names the open file, in the child, through which a lock is handed on.
HANDLE_VARIABLE = "SPILLWAY_LOCK_HANDLE"
# Whoever only looks holds the lock, shared, for a moment.
_PATIENCE_SECONDS = 0.3


@dataclass(frozen=True)
class Holder:
    """Who wrote itself into the lock last."""

    pid: int
    verb: str


def lock_is_held(folder: DataFolder) -> bool:
    """Whether somebody holds it. Raises DataFolderError if that cannot be found out."""
    try:
        with folder.lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except PermissionError as error:
        raise DataFolderError(f"{folder.lock} is another user's: run this as that user.") from error
    except OSError:
        return False
    return False


def holder_of(folder: DataFolder) -> Holder | None:
    """Who holds the lock; None if nobody does, or nobody has said so yet."""
    if not lock_is_held(folder):
        return None
    try:
        told = json.loads(folder.lock.read_text(encoding="utf-8"))
        return Holder(int(told["pid"]), str(told["verb"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def supervisor_lock(folder: DataFolder, verb: str = UP) -> Iterator[int | None]:
    """Hold the folder's lock; yields its handle, or None if it was not to be had."""
    handle = _handed_on(folder.lock)
    if handle is None:
        handle = os.open(folder.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _lock(handle):
            yield None
            return
        _sign(handle, verb)
        yield handle
    finally:
        os.close(handle)


def environment_with(handle: int) -> dict[str, str]:
    """For a child that gets the handle (Popen's `pass_fds`): the lock is then held until both have let go."""
    return os.environ | {HANDLE_VARIABLE: str(handle)}


def _handed_on(lock: Path) -> int | None:
    """The handle that our parent gave us for this very file; its name is forgotten, our children do not get it."""
    with suppress(ValueError, OSError):
        handle = int(os.environ.pop(HANDLE_VARIABLE, ""))
        if os.path.samestat(os.fstat(handle), lock.stat()):
            os.set_inheritable(handle, False)
            return handle
    return None


def _lock(handle: int) -> bool:
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        else:
            return True


def _sign(handle: int, verb: str) -> None:
    # A full disk must not keep anybody from the lock: it is held by the handle, not by what is in the file.
    with suppress(OSError):
        os.fchmod(handle, 0o600)
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps({"pid": os.getpid(), "verb": verb}).encode(), 0)
