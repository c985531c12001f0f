"""Owns how steps are told: a line each with the seconds since the beginning, on the terminal and in a lasting log."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

Say = Callable[[str], None]


class Diary:
    """`say` prints; the same line goes to `file` with the date. A full disk does not stop a rollout."""

    def __init__(self, file: Path, say: Say) -> None:
        self._file = file
        self._say = say
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def step(self, text: str) -> None:
        """One thing that was done or seen."""
        self._say(f"{self.seconds:6.1f} s  {text}")
        self.keep(text)

    def last(self, text: str) -> None:
        """What became of it all: the one line that stays on the terminal."""
        self._say(text)
        self.keep(text)

    def keep(self, text: str) -> None:
        """In the log only: what is raised as an error is told by whoever catches it."""
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}\n")
