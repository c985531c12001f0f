"""Owns how a fleet is shown while it starts, runs and stops. Decides nothing."""

import importlib.util
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.ports import Observation, Seen

STEPS = {
    "database": "Making the database",
    "migrations": "Starting servers, migrating the database, collecting assets",
    "instances": "Starting instances",
    "workers": "Starting workers",
}
_COLOURS = {
    InstanceState.STARTING: "cyan",
    InstanceState.READY: "green",
    InstanceState.UNREADY: "red",
    InstanceState.DRAINING: "yellow",
    InstanceState.STOPPED: "dim",
}


class View(Protocol):
    """`show` is called at every change, `say` for lines that stay."""

    def show(self, seen: Observation) -> None: ...

    def say(self, *lines: str) -> None: ...


@contextmanager
def view_for_terminal() -> Iterator[View]:
    """A live table on a terminal, plain lines elsewhere (or while the packages are not installed)."""
    if not sys.stdout.isatty() or importlib.util.find_spec("rich") is None:
        yield PlainView()
        return
    view = LiveView()
    try:
        yield view
    finally:
        view.close()


def rows(units: Sequence[Seen]) -> list[str]:
    """One line a unit, in columns."""
    table = [("NAME", "STATE", "PID", "ADDRESS", "RESTARTS")]
    table += [
        (u.name, u.state.value, str(u.pid or "-"), u.address or "-", str(u.restarts or "-")) for u in units
    ]
    widths = [max(len(row[column]) for row in table) for column in range(5)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


class PlainView:
    """A line for every change of state, with the seconds since the first."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._step = ""
        self._states: dict[str, tuple[InstanceState, int]] = {}

    def show(self, seen: Observation) -> None:
        if seen.step != self._step:
            self._step = seen.step
            if seen.step:
                self._line(f"{STEPS.get(seen.step, seen.step)} ...")
        for unit in seen.units:
            self._show_unit(unit)

    def _show_unit(self, unit: Seen) -> None:
        if self._states.get(unit.name) == (unit.state, unit.restarts):
            return
        self._states[unit.name] = (unit.state, unit.restarts)
        again = (
            f" (restart {unit.restarts})" if unit.restarts and unit.state is InstanceState.STARTING else ""
        )
        where = f" at {unit.address}" if unit.address and unit.state is InstanceState.READY else ""
        self._line(f"{unit.name:<10} {unit.state.value}{where}{again}")

    def _line(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", flush=True)

    def say(self, *lines: str) -> None:
        print("\n".join(lines), flush=True)


class LiveView:
    """The same as a table that changes in place."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console()
        self._live = Live(console=self._console, refresh_per_second=8)
        self._live.start()

    def show(self, seen: Observation) -> None:
        from rich.table import Table

        title = STEPS.get(seen.step) or {"stopping": "Stopping", "ready": f"Ready at {seen.address}"}.get(
            seen.phase, ""
        )
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for heading in ("name", "state", "pid", "address", "restarts"):
            table.add_column(heading, header_style="dim")
        for unit in seen.units:
            colour = _COLOURS[unit.state]
            table.add_row(
                unit.name, f"[{colour}]{unit.state.value}[/]", str(unit.pid or ""), unit.address or "",
                str(unit.restarts or ""),
            )  # fmt: skip
        self._live.update(table)

    def say(self, *lines: str) -> None:
        for line in lines:
            self._live.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        self._live.stop()
