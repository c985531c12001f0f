"""Owns what processes that have ended had counted: one file of each kind, where prometheus-client leaves one for each
process for ever. Counts nothing itself.

A scrape reads all files, so it must not see the sum beside what went into it, nor neither: readers share a lock that
the summing has alone. Nobody waits long for it: what could not be summed up is when the next process ends.
"""

import fcntl
import os
import re
import struct
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
from prometheus_client.mmap_dict import MmapedDict

logger = structlog.get_logger(__name__)
WAIT_SECONDS = 1.0
_COUNTED = re.compile(r"(counter|histogram|summary)_(\d+)\.db")
# An entry of prometheus-client's files beside its key: a length, the padding at most, two doubles.
_ENTRY_BYTES = 4 + 8 + 16


def fold(folder: Path) -> None:
    """Sum up what the files of processes hold that are no more. By the process that forks them, which alone knows that
    no new one has got an old number meanwhile. A full disk leaves all as it is.
    """
    left: dict[str, list[Path]] = defaultdict(list)
    for path in folder.glob("*.db"):
        if (match := _COUNTED.fullmatch(path.name)) and not _alive(int(match[2])):
            left[match[1]].append(path)
    if not left:
        return
    with _locked(folder, fcntl.LOCK_EX) as alone:
        for kind, paths in left.items() if alone else ():
            try:
                _fold(folder / f"{kind}_gone.db", paths)
            except OSError as error:
                logger.warning("counts_not_summed", detail=error.strerror)


@contextmanager
def settled(folder: Path) -> Iterator[None]:
    """Nothing is summed up meanwhile. Who holds the lock for longer than WAIT_SECONDS has been stopped: then go on."""
    with _locked(folder, fcntl.LOCK_SH):
        yield


def _fold(gone: Path, paths: Iterable[Path]) -> None:
    """1. A new sum beside the old one. 2. It takes the old one's place. 3. What went into it goes."""
    counts: dict[str, float] = defaultdict(float)
    for path in (gone, *paths):
        for key, value in _entries(path):
            counts[key] += value
    fresh = gone.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    _write(fresh, counts)
    fresh.replace(gone)
    for path in paths:
        path.unlink(missing_ok=True)


def _entries(path: Path) -> list[tuple[str, float]]:
    """Each key and its count. Of a process that was killed while it made its file there is nothing to be had."""
    try:
        found = MmapedDict.read_all_values_from_file(str(path))  # type: ignore[no-untyped-call]
        return [(key, value) for key, value, *_ in found]
    except FileNotFoundError:
        return []
    except (struct.error, RuntimeError, UnicodeDecodeError):
        logger.warning("counts_unreadable", file=path.name)
        return []


def _write(path: Path, counts: dict[str, float]) -> None:
    """Room first: on a full disk an OSError, where writing to a mapping of a file with holes would end the process."""
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 8 + sum(len(key.encode()) + _ENTRY_BYTES for key in counts))
    written = MmapedDict(str(path))  # type: ignore[no-untyped-call]
    for key, value in counts.items():
        written.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
    written.close()  # type: ignore[no-untyped-call]


@contextmanager
def _locked(folder: Path, kind: int) -> Iterator[bool]:
    """The folder's lock, waited for a moment; whether it was had."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _lock(descriptor, kind)
    finally:
        # Said, not left to closing: a process that was forked meanwhile has the descriptor as well.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _lock(descriptor: int, kind: int) -> bool:
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.005)
        else:
            return True


def _alive(pid: int) -> bool:
    """A process of another user is alive as well; one that ended and was not waited for yet has its turn later."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
