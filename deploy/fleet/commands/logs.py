"""`spillway logs`: show what units have written, and follow it."""

import sys
import time
from argparse import Namespace
from pathlib import Path

from deploy.fleet.errors import FleetError
from deploy.fleet.platforms import platform_for
from deploy.fleet.processes import last_lines

_LOOK_SECONDS = 0.2


def run(options: Namespace, rest: list[str]) -> int:
    files = platform_for(options.data).logs()
    if options.name is not None:
        files = {options.name: _one(files, options.name)}
    tails = [Tail(name, file, labelled=options.name is None) for name, file in files.items()]
    for tail in tails:
        tail.begin(max(0, options.lines))
    while options.follow:
        time.sleep(_LOOK_SECONDS)
        for tail in tails:
            tail.go_on()
    return 0


def _one(files: dict[str, Path], name: str) -> Path:
    if name not in files:
        known = ", ".join(files) or "none yet"
        raise FleetError(f"There is no log of {name!r}. There are: {known}.")
    return files[name]


class Tail:
    """One file, from its last lines onwards. A file that has become shorter is read from its start."""

    def __init__(self, name: str, file: Path, *, labelled: bool) -> None:
        self._file = file
        self._label = f"{name:<12} " if labelled else ""
        self._offset = 0

    def begin(self, count: int) -> None:
        self._offset = self._size()
        self._show(last_lines(self._file, count) if count else [])

    def go_on(self) -> None:
        size = self._size()
        self._offset = min(self._offset, size) if size >= self._offset else 0
        if size == self._offset:
            return
        with self._file.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        # A line that is still being written waits for its end.
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        self._show(whole.decode("utf-8", "replace").splitlines())

    def _size(self) -> int:
        try:
            return self._file.stat().st_size
        except OSError:
            return 0

    def _show(self, lines: list[str]) -> None:
        for line in lines:
            sys.stdout.write(f"{self._label}{line}\n")
        sys.stdout.flush()
