"""Owns how a fleet's figures are laid out for people: cells, columns, colours. Looks at nothing itself."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.ports import Observation, Report, Seen

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = [
    "NAME", "RELEASE", "STATE", "UPTIME", "IN FLIGHT", "POOL", "REQ/S", "LAST CHECK", "PROXY",
]  # fmt: skip
UNKNOWN = "-"
_STATE_COLUMN = HEADINGS.index("STATE")
_STYLES = {
    InstanceState.STARTING: "cyan",
    InstanceState.READY: "green",
    InstanceState.UNREADY: "red",
    InstanceState.DRAINING: "yellow",
    InstanceState.STOPPED: "dim",
}


def status_rows(observation: Observation, before: Observation | None, seconds: float) -> list[list[str]]:
    """The headings, then one row a unit, web instances first. `before` is what was seen `seconds` earlier."""
    earlier = {unit.name: unit for unit in before.units} if before else {}
    units = [*observation.instances, *observation.services]
    return [HEADINGS, *(_row(unit, earlier.get(unit.name), seconds) for unit in units)]


def footer(observation: Observation) -> str:
    """How many messages wait for a worker: the highest that any instance saw last."""
    depths = [unit.report.queue_depth for unit in observation.units if unit.report]
    known = [depth for depth in depths if depth is not None]
    return f"Waiting for a worker: {max(known)}" if known else "Waiting for a worker: not known"


def _row(unit: Seen, before: Seen | None, seconds: float) -> list[str]:
    report = unit.report
    return [
        unit.name,
        unit.release or UNKNOWN,
        unit.state.value,
        duration(report.uptime_seconds if report else unit.age_seconds),
        _in_flight(report) if report else UNKNOWN,
        _pool(report) if report else UNKNOWN,
        _rate(unit, before, seconds),
        _age(report.check_age_seconds) if report else UNKNOWN,
        {True: "yes", False: "no", None: UNKNOWN}[unit.routed],
    ]


def duration(seconds: float | None) -> str:
    """The two largest units: 7s, 1m 05s, 3h 02m, 2d 04h."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, int(seconds))
    for size, large, small_size, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{large} {whole % size // small_size:02d}{small}"
    return f"{whole}s"


def _in_flight(report: Report) -> str:
    return f"{report.in_flight}/{report.threads}" + (f" +{report.waiting}" if report.waiting else "")


def _pool(report: Report) -> str:
    """Connections that requests hold, of those that there may be."""
    return f"{max(0, report.pool_size - report.pool_available)}/{report.pool_max}"


def _rate(unit: Seen, before: Seen | None, seconds: float) -> str:
    if seconds <= 0 or unit.report is None or before is None or before.report is None:
        return UNKNOWN
    count = unit.report.requests_total - before.report.requests_total
    # Started again in between, under the same name: its totals began anew.
    return f"{count / seconds:.1f}" if count >= 0 else UNKNOWN


def _age(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else f"{seconds:.1f}s"


def as_plain(rows: Sequence[Sequence[str]]) -> str:
    """The same in columns, for a pipe or a file."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def as_table(rows: Sequence[Sequence[str]], below: str = "") -> "Table":
    """The same for a terminal, with colours; `below` stands under it."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, caption=Text(below), caption_justify="left")
    for heading in rows[0]:
        table.add_column(heading.lower(), header_style="dim")
    for row in rows[1:]:
        # Text, not str: a release may be named in a way that reads like markup.
        table.add_row(*(Text(cell, style=_style(column, cell)) for column, cell in enumerate(row)))
    return table


def _style(column: int, cell: str) -> str:
    return _STYLES[InstanceState(cell)] if column == _STATE_COLUMN else ""


@contextmanager
def view_that_changes() -> Iterator[Callable[[Sequence[Sequence[str]], str], None]]:
    """Yields what shows rows and the line below them: in place on a terminal, one after the other elsewhere."""
    if not sys.stdout.isatty():
        yield lambda rows, below: print(f"{as_plain(rows)}\n{below}\n", flush=True)
        return
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        yield lambda rows, below: live.update(as_table(rows, below), refresh=True)
