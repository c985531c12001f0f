"""`spillway bench one|upload|slow|smoke|...`: runs it and prints one table. Starts nothing itself."""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from tests.bench import one, rollout, slow, spike, upload
from tests.bench import survive as survive_table
from tests.bench.client import UnexpectedAnswerError
from tests.bench.fleet import StartFailedError
from tests.bench.smoke import Smoke
from tests.bench.units import Row
from tests.survive.run import LONG, survive

_WIDTH = 150


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="spillway bench", description="Measure, and print one table.")
    kinds = made.add_subparsers(
        dest="kind", metavar="one|upload|slow|smoke|rollout|spike|survive", required=True
    )
    alone = kinds.add_parser("one", help="what one instance carries: pages, downloads, uploads")
    alone.add_argument(
        "--seconds", type=float, default=one.SECONDS, metavar="SECONDS", help="how long visitors ask (10)"
    )
    kinds.add_parser("smoke", help="speed, memory and starts, side by side with another server")
    sending = kinds.add_parser("upload", help="speed, processor time and memory of uploads, beside others")
    sending.add_argument(
        "--rounds", type=int, default=2, metavar="N", help="how often everything is measured (2)"
    )
    trickling = kinds.add_parser("slow", help="slow senders whose lines break: what is kept, what pages take")
    trickling.add_argument("--senders", type=int, default=48, metavar="N", help="how many at once (48)")
    trickling.add_argument(
        "--seconds", type=float, default=15.0, metavar="SECONDS", help="when their lines break (15)"
    )
    rolling = kinds.add_parser("rollout", help="what visitors notice of rollouts, scaling, stops and kills")
    rolling.add_argument("--platform", choices=("embedded", "compose"), default="embedded")
    rolling.add_argument("--rate", type=float, default=25.0, metavar="N", help="requests a second (25)")
    many = kinds.add_parser("spike", help="50 visitors become thousands while the agent watches")
    many.add_argument("--visitors", type=int, default=5000, metavar="N", help="how many come (5000)")
    many.add_argument(
        "--arrive", type=float, default=10.0, metavar="SECONDS", help="within how long they come (10)"
    )
    many.add_argument("--limit", type=float, default=90.0, metavar="SECONDS", help="when it ends (90)")
    fire = kinds.add_parser("survive", help="uploads by real clients while something is killed every second")
    fire.add_argument("--uploads", type=int, default=LONG.count, metavar="N", help=f"how many ({LONG.count})")
    fire.add_argument(
        "--seed", type=int, default=LONG.seed, metavar="N", help=f"of everything random ({LONG.seed})"
    )
    return made


def main(arguments: Sequence[str]) -> int:
    options = parser().parse_args(list(arguments))
    _on_signals(_interrupt)
    began = time.monotonic()
    run = {
        "one": _one, "upload": _upload, "slow": _slow, "smoke": _smoke,
        "rollout": _rollout, "spike": _spike, "survive": _survive,
    }[options.kind]  # fmt: skip
    try:
        finished = run(options)
    except (OSError, AssertionError, StartFailedError, UnexpectedAnswerError) as error:
        print(f"spillway bench: {error}", file=sys.stderr)
        return 1
    print(
        f"{'' if finished else 'Interrupted after '}{time.monotonic() - began:.0f} s. Only loopback was used."
    )
    return 0 if finished else 130


def _print(shown: Table, remarks: Sequence[str] = ()) -> None:
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(shown)
    for line in remarks:
        print(line)


def _smoke(options: argparse.Namespace) -> bool:
    rows, finished = measure()
    _print(table(rows))
    return finished


def _one(options: argparse.Namespace) -> bool:
    rows = []
    try:
        for row in one.measured(seconds=options.seconds):
            rows.append(row)
    except KeyboardInterrupt:
        return False
    finally:
        _print(one.table(rows))
    return True


def _upload(options: argparse.Namespace) -> bool:
    try:
        figures = upload.measured(rounds=options.rounds)
    except KeyboardInterrupt:
        return False
    _print(upload.table(figures), upload.remarks(figures))
    return True


def _slow(options: argparse.Namespace) -> bool:
    try:
        rows = slow.measured(senders=options.senders, seconds=options.seconds)
    except KeyboardInterrupt:
        return False
    _print(slow.table(rows, options.seconds))
    return True


def _rollout(options: argparse.Namespace) -> bool:
    rows = []
    try:
        with rollout.site_of(options.platform) as site:
            for row in rollout.measured(site, rate=options.rate):
                rows.append(row)
    except KeyboardInterrupt:
        return False
    finally:
        _print(rollout.table(rows, options.platform, options.rate), rollout.remarks(rows))
    return True


def _spike(options: argparse.Namespace) -> bool:
    try:
        spiked = spike.spike(
            visitors=options.visitors, arrive_seconds=options.arrive, limit_seconds=options.limit
        )
    except KeyboardInterrupt:
        return False
    _print(spike.table(spiked), spike.remarks(spiked))
    return True


def _survive(options: argparse.Namespace) -> bool:
    """Raises AssertionError if anything was not as promised, after saying everything."""
    form = replace(LONG, count=options.uploads, seed=options.seed)
    try:
        verdict = survive(form, lambda text: print(text, file=sys.stderr, flush=True))
    except KeyboardInterrupt:
        return False
    _print(survive_table.table(verdict), survive_table.remarks(verdict))
    wrong = verdict.failures()
    assert not wrong, f"{len(wrong)} failures; the site's logs are in {verdict.logs}"
    return True


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
