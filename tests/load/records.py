"""Owns what became of a load: counts, failures by kind and text, times. Sends nothing."""

import math
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Report:
    """A load that is over. Times are of requests, from the moment each was due; uploads and downloads have none."""

    seconds: float = 0.0
    requests: dict[str, int] = field(default_factory=dict)
    failures: dict[str, dict[str, int]] = field(default_factory=dict)
    p50_seconds: float = 0.0
    p95_seconds: float = 0.0
    max_seconds: float = 0.0
    uploads_done: int = 0
    uploads_broken: list[str] = field(default_factory=list)
    # PATCHes that did not go through, each followed by a question for the offset.
    resumed: int = 0
    resent_bytes: int = 0
    downloads_done: int = 0
    downloads_broken: list[str] = field(default_factory=list)

    @property
    def requested(self) -> int:
        return sum(self.requests.values())

    def failed(self, *, but_for: Collection[str] = ()) -> dict[str, dict[str, int]]:
        """Failures by kind and text, without those of the kinds in `but_for`."""
        return {kind: texts for kind, texts in self.failures.items() if kind not in but_for}

    def failed_count(self, *, but_for: Collection[str] = ()) -> int:
        return sum(sum(texts.values()) for texts in self.failed(but_for=but_for).values())

    def check(self, *, may_fail: Collection[str] = ()) -> None:
        """Nobody noticed anything, and there was somebody who could have. `may_fail`: kinds that are left out."""
        wrong = self.failed(but_for=may_fail)
        assert wrong == {}, wrong
        assert self.uploads_broken == [], self.uploads_broken
        assert self.downloads_broken == [], self.downloads_broken
        done = self.requested, self.uploads_done, self.downloads_done
        assert min(done) > 0, f"requests, uploads and downloads that were done: {done}"


class Record:
    """What happens, told by many threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._failures: dict[str, Counter[str]] = {}
        self._seconds: list[float] = []
        self._under_way: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._broken: dict[str, list[str]] = {}
        self._resumed = 0
        self._resent_bytes = 0

    def request(self, kind: str, seconds: float, failure: str = "") -> None:
        """One that was answered as it should be, or the text of what happened instead."""
        with self._lock:
            self._requests[kind] += 1
            self._seconds.append(seconds)
            if failure:
                self._failures.setdefault(kind, Counter())[failure] += 1

    @contextmanager
    def one(self, what: str) -> Iterator[None]:
        """An upload or a download: under way inside the block, then done, or broken by whatever it raises."""
        with self._lock:
            self._under_way[what] += 1
        try:
            yield
        except Exception as error:
            self.broken(
                what, str(error) if isinstance(error, BrokenError) else f"{type(error).__name__}: {error}"
            )
        else:
            with self._lock:
                self._done[what] += 1
        finally:
            with self._lock:
                self._under_way[what] -= 1

    def broken(self, what: str, text: str) -> None:
        with self._lock:
            self._broken.setdefault(what, []).append(text)

    def resumed(self) -> None:
        with self._lock:
            self._resumed += 1

    def resent(self, count_bytes: int) -> None:
        with self._lock:
            self._resent_bytes += count_bytes

    def under_way(self, what: str) -> int:
        with self._lock:
            return self._under_way[what]

    @property
    def requested(self) -> int:
        with self._lock:
            return sum(self._requests.values())

    def report(self, seconds: float) -> Report:
        with self._lock:
            times = sorted(self._seconds) or [0.0]
            return Report(
                seconds=seconds,
                requests=dict(self._requests),
                failures={kind: dict(texts) for kind, texts in self._failures.items()},
                p50_seconds=share_of(times, 0.5),
                p95_seconds=share_of(times, 0.95),
                max_seconds=times[-1],
                uploads_done=self._done["upload"],
                uploads_broken=list(self._broken.get("upload", ())),
                resumed=self._resumed,
                resent_bytes=self._resent_bytes,
                downloads_done=self._done["download"],
                downloads_broken=list(self._broken.get("download", ())),
            )


class BrokenError(Exception):
    """An upload or a download that its client cannot go on with, or that came out wrong; the text says how."""


def share_of(ordered: list[float], share: float) -> float:
    """The value that this share of the values does not exceed, by nearest rank."""
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]
