"""Owns `bench rollout`: all scenarios of tests/load on one site, and a row of figures of each. Asserts nothing."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager

from rich.table import Table

from tests.load.scenarios import SCENARIOS, Played, play
from tests.load.sites import Site, compose_site, embedded_site

_COLUMNS = (
    "scenario", "s", "requests", "failed", "uploads", "broken", "resent MB", "downloads", "broken", "p50 ms",
    "p95 ms", "max ms",
)  # fmt: skip


def site_of(platform: str) -> AbstractContextManager[Site]:
    """A site of its own, with three instances; nothing is left of it afterwards."""
    return compose_site() if platform == "compose" else embedded_site()


def measured(site: Site, *, rate: float) -> Iterator[Played]:
    """One scenario after the other, in the order in which each finds what it needs."""
    for name in SCENARIOS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        yield play(name, site, rate=rate)


def table(rows: list[Played], platform: str, rate: float) -> Table:
    title = (
        f"Spillway ({platform}) under a steady load: {rate:.0f} requests/s, 5 slow uploads, 5 slow downloads"
    )
    shown = Table(title=title, title_justify="left")
    for number, name in enumerate(_COLUMNS):
        shown.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        shown.add_row(*_cells(row))
    return shown


def _cells(row: Played) -> list[str]:
    told = row.report
    times = (told.p50_seconds, told.p95_seconds, told.max_seconds)
    return [
        row.name, f"{row.seconds:.1f}", str(told.requested), str(row.failed), str(told.uploads_done),
        str(len(told.uploads_broken)), f"{told.resent_bytes / 1e6:.2f}", str(told.downloads_done),
        str(len(told.downloads_broken)), *(f"{seconds * 1000:.0f}" for seconds in times),
    ]  # fmt: skip


def remarks(rows: list[Played]) -> list[str]:
    """What a figure alone does not tell: what failed, what was not true afterwards, what was allowed to fail."""
    said = []
    for row in rows:
        told = row.report
        said += [f"{row.name}: {row.wrong}"] if row.wrong else []
        said += [f"{row.name}: {kind}: {texts}" for kind, texts in told.failures.items()]
        said += [f"{row.name}: upload: {text}" for text in told.uploads_broken]
        said += [f"{row.name}: download: {text}" for text in told.downloads_broken]
        if row.may_fail:
            said.append(f"{row.name}: only what is safe to send twice is counted as failed")
    return said
