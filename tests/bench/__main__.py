"""`spillway bench smoke`: runs it and prints one table. Starts nothing itself."""

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from tests.bench.smoke import Smoke
from tests.bench.units import Row


def main(arguments: Sequence[str]) -> int:
    if list(arguments) != ["smoke"]:
        print("usage: spillway bench smoke", file=sys.stderr)
        return 2
    _on_signals(_interrupt)
    began = time.monotonic()
    rows, finished = measure()
    Console(width=None if sys.stdout.isatty() else 150).print(table(rows))
    print(
        f"{'' if finished else 'Interrupted after '}{time.monotonic() - began:.0f} s. Only loopback was used."
    )
    return 0 if finished else 130


def measure() -> tuple[list[Row], bool]:
    """What was measured, and whether nobody interrupted it. Nothing is left running or lying about."""
    with ExitStack() as cleanup:
        folder = Path(tempfile.mkdtemp(prefix="spillway-bench-"))
        # PostgreSQL runs as another user when we are root, and must be able to reach its folder.
        folder.chmod(0o711)
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        smoke = Smoke(folder, cleanup)
        try:
            smoke.run()
        except KeyboardInterrupt:
            print("Stopping everything ...", file=sys.stderr)
            return smoke.rows, False
    return smoke.rows, True


def table(rows: Sequence[Row]) -> Table:
    shown = Table(title="Spillway, measured", title_justify="left")
    for name in ("what", "figure", "target or peer", "how it was measured"):
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(row.what, row.figure, row.target, row.how)
    return shown


def _interrupt(number: int, frame: FrameType | None) -> None:
    # Once is enough: a second one would leave running what the first one began to stop.
    _on_signals(signal.SIG_IGN)
    raise KeyboardInterrupt


def _on_signals(action: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, action)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
