"""Owns watching what processes cost while something happens: processor time, and the most memory. Touches nothing."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType

import psutil

_SAMPLE_SECONDS = 0.1


class Usage:
    """Watches trees of processes, each under a name and by its root's pid, until it is left.

    `peak_bytes` is proportional set size (PSS): what an instance's processes share is counted once.
    """

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = {name: psutil.Process(pid) for name, pid in roots.items()}
        self._before: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.cpu_seconds: dict[str, float] = {}
        self.peak_bytes = dict.fromkeys(roots, 0)

    def __enter__(self) -> "Usage":
        self._before = {name: _cpu_seconds(root) for name, root in self._roots.items()}
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._look()
        self.cpu_seconds = {
            name: _cpu_seconds(root) - self._before[name] for name, root in self._roots.items()
        }

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            self._look()

    def _look(self) -> None:
        for name, root in self._roots.items():
            self.peak_bytes[name] = max(self.peak_bytes[name], _pss_bytes(root))


def _tree(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def _cpu_seconds(root: psutil.Process) -> float:
    """User and system time, of children that have ended too."""
    seconds = 0.0
    for process in _tree(root):
        with suppress(psutil.Error):
            times = process.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def _pss_bytes(root: psutil.Process) -> int:
    size = 0
    for process in _tree(root):
        with suppress(psutil.Error):
            size += process.memory_full_info().pss
    return size
