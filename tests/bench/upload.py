"""Owns `bench upload`: what uploads reach and cost, beside the official Node server, beside nginx taking a PUT, and
beside chunks that nginx writes and a small server adopts. Asserts nothing.

One round after the other, in each of them everybody in turn: whatever else this machine does meets all of them alike.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import psutil
from rich.table import Table

from tests.bench.client import CHUNK_BYTES, Target, put_at_once, upload_at_once
from tests.bench.fleet import StartFailedError, empty
from tests.bench.stage import Stage, stage
from tests.bench.units import GIB, MIB, megabytes_per_second, spread
from tests.bench.usage import Usage

INSTANCES = 3
LIMIT_SECONDS = 330.0  # the rest of six minutes is for stopping
# How many at once, and how large each is.
SERIES = ((1, GIB), (32, 64 * MIB))
_MOST_MEMORY_BYTES = 150e6
_PROXY, _DATABASE = "traefik", "postgres"


@dataclass(frozen=True)
class Contender:
    """`own` names the processes whose time is its own; the proxy's and the database's are told apart."""

    name: str
    title: str
    own: Sequence[str]
    is_put: bool = False


@dataclass
class Figures:
    """One list a figure, one element a round; processor time is in seconds per GiB."""

    speed: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    proxy: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)
    peak_bytes: int = 0
    tries_again: int = 0


Measured = dict[tuple[int, str], Figures]
_WEB = [f"web-{number}" for number in range(1, INSTANCES + 1)]
_UNSYNCED = [f"bench-{number}" for number in range(1, INSTANCES + 1)]
CONTENDERS = (
    Contender("spillway", "Spillway, as shipped", _WEB),
    Contender("unsynced", "Spillway, fsync off", _UNSYNCED),
    Contender("peer", "@tus/server, file store (never fsyncs)", ["peer"]),
    Contender("adopted", "nginx writes, a stub adopts (fsync on)", ["nginx", "adopter"]),
    Contender("limit", "nginx takes a PUT (no fsync): the limit", ["nginx"], is_put=True),
)


def measured(*, rounds: int) -> Measured:
    """All figures. What could not be started is left out, and said."""
    with stage(web=INSTANCES) as on:
        unsynced = [on.start_instance(name, fsync=False).address for name in _UNSYNCED]
        on.start_nginx()
        try:
            on.start_peer()
        except (StartFailedError, OSError) as error:
            on.say(f"the Node server is left out: {error}")
        return _Run(on, on.route(unsynced)).all(rounds)


class _Run:
    """The measurements, one at a time."""

    def __init__(self, on: Stage, targets: Mapping[str, Target]) -> None:
        self._on = on
        self._pids = on.pids()
        self._targets = targets
        self._buffer = memoryview(os.urandom(CHUNK_BYTES))
        self._figures: Measured = {}

    def all(self, rounds: int) -> Measured:
        """Every figure once; then again, as long as there is time for a whole round."""
        for number in range(rounds):
            began = time.monotonic()
            for clients, size in SERIES:
                self._on.say(f"round {number + 1} of {rounds}, {clients} at once")
                for contender in CONTENDERS:
                    if contender.name != "peer" or "peer" in self._on.started:
                        self._one(contender, clients, size)
            if self._on.seconds() + (time.monotonic() - began) > LIMIT_SECONDS:
                break
        return self._figures

    def _one(self, contender: Contender, clients: int, size: int) -> None:
        figures = self._figures.setdefault((clients, contender.name), Figures())
        watched = {name: self._pids[name] for name in [*contender.own, _PROXY, _DATABASE]}
        with Usage(watched) as usage:
            seconds, clear = self._send(contender, clients, size)
        gib = clients * size / GIB
        figures.speed.append(megabytes_per_second(clients * size, seconds))
        figures.own.append(sum(usage.cpu_seconds[name] for name in contender.own) / gib)
        figures.proxy.append(usage.cpu_seconds[_PROXY] / gib)
        figures.database.append(usage.cpu_seconds[_DATABASE] / gib)
        figures.peak_bytes = max([figures.peak_bytes, *(usage.peak_bytes[name] for name in contender.own)])
        clear()

    def _send(self, contender: Contender, clients: int, size: int) -> tuple[float, Callable[[], None]]:
        """Seconds, and how to throw the bytes away."""
        target = self._targets[contender.name]
        if contender.is_put:
            return put_at_once(target, self._buffer, size, clients), os.sync
        seconds, sent = upload_at_once(target, self._buffer, size, clients)
        self._figures[clients, contender.name].tries_again += sum(one.tries_again for one in sent)
        folder = {"peer": "peer-files", "adopted": "limit/adopted"}.get(contender.name)
        if folder is None:
            return seconds, lambda: self._on.fleet.forget(sent)
        return seconds, lambda: empty(self._on.folder / folder)


def table(figures: Measured) -> Table:
    rounds = len(next(iter(figures.values())).speed) if figures else 0
    title = f"Uploads through Traefik in {CHUNK_BYTES // MIB} MiB chunks, median of {rounds} rounds in turn"
    shown = Table(title=title, title_justify="left")
    names = ("at once", "what", "MB/s", "CPU s/GiB", "Traefik", "database", "peak memory")
    for number, name in enumerate(names):
        shown.add_column(name, justify="left" if number == 1 else "right")
    for clients, size in SERIES:
        for contender in CONTENDERS:
            if found := figures.get((clients, contender.name)):
                shown.add_row(f"{clients} x {size // MIB} MiB", contender.title, *_cells(found))
    return shown


def _cells(found: Figures) -> list[str]:
    times = [f"{median(each):.2f}" for each in (found.own, found.proxy, found.database)]
    return [spread(found.speed, "").replace("  (", " ("), *times, f"{found.peak_bytes / 1e6:.0f} MB"]


def remarks(figures: Measured) -> list[str]:
    """What the table means, by the aims."""
    lines = []
    for clients, _ in SERIES:
        for other, aim in (("peer", 2.0), ("limit", 0.6)):
            if (clients, other) in figures and (clients, "spillway") in figures:
                ratio = median(figures[clients, "spillway"].speed) / median(figures[clients, other].speed)
                title = next(c.title for c in CONTENDERS if c.name == other)
                lines.append(f"{clients} at once: {ratio:.2f} x {title} (aim {aim})")
    peak = max(found.peak_bytes for (_, name), found in figures.items() if name == "spillway")
    lines.append(f"Most memory of an instance: {peak / 1e6:.0f} MB (aim < {_MOST_MEMORY_BYTES / 1e6:.0f})")
    if refused := sum(found.tries_again for found in figures.values()):
        lines.append(f"{refused} chunks were tried again: an instance carries at most 12 uploads at once.")
    one, _, fifteen = psutil.getloadavg()
    lines.append(
        f"Load average {one:.1f} now, {fifteen:.1f} over 15 minutes, of {psutil.cpu_count()} processors."
    )
    return lines
