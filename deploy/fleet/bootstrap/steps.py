"""Owns how the bootstrap shows what it is doing: one changing line on a terminal, plain lines elsewhere."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_KEPT_LINES = 400


class Steps:
    """Prints to stderr: stdout belongs to the command that follows."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._title = ""
        self._began = 0.0

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self._title, self._began = title, time.monotonic()
        if not self._live:
            self.note(f"{title} ...")
        try:
            yield
        except BaseException:
            self._clear()
            raise
        self._clear()
        self.note(f"{title}: done in {time.monotonic() - self._began:.1f} s")

    def progress(self, detail: str) -> None:
        """What exactly is being done; only where a line can be replaced."""
        if self._live:
            width = max(20, _terminal_columns() - 1)
            line = f"{self._title} ({time.monotonic() - self._began:.0f} s) {detail}"
            sys.stderr.write(f"\r\033[K{line[:width]}")
            sys.stderr.flush()

    def _clear(self) -> None:
        if self._live:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def _terminal_columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return 80


def run_shown(
    argv: Sequence[str], *, cwd: Path, show: Callable[[str], None], env: Mapping[str, str] | None = None
) -> tuple[int, list[str]]:
    """Run a program, showing each of its lines; returns its exit code and last lines. Raises OSError."""
    lines: list[str] = []
    with subprocess.Popen(
        list(argv), cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",
    ) as process:  # fmt: skip
        for line in process.stdout or ():
            lines = [*lines[-_KEPT_LINES:], line.rstrip()]
            show(line.strip())
    return process.returncode, lines
