"""Owns watching how large processes become while something happens. Touches nothing."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

import psutil

_SAMPLE_SECONDS = 0.02


def worker_pids(master_pids: Sequence[int]) -> list[int]:
    """The processes that serve requests: the children of gunicorn's masters."""
    return [child.pid for pid in master_pids for child in psutil.Process(pid).children()]


class Growth:
    """Samples resident memory (VmRSS) until it is left; `most_bytes` is the growth of the one that grew most."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._before = [process.memory_info().rss for process in self._processes]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.most_bytes = 0

    def __enter__(self) -> "Growth":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            self._look()

    def _look(self) -> None:
        for process, before in zip(self._processes, self._before, strict=True):
            with suppress(psutil.Error):
                self.most_bytes = max(self.most_bytes, process.memory_info().rss - before)
