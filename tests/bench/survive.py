"""Owns what `bench survive` prints of a kill test (tests/survive). Starts nothing, judges nothing."""

from collections import Counter
from collections.abc import Iterable

from rich.table import Table

from tests.survive.plan import Client
from tests.survive.sending import Sent
from tests.survive.verdict import Verdict


def table(verdict: Verdict) -> Table:
    """What became of the uploads, by client, and of all."""
    shown = Table(title=_title(verdict), title_justify="left")
    for name in (
        "client",
        "uploads",
        "MB",
        "completed",
        "at their first URL",
        "SHA-256 right",
        "interrupted",
        "resent",
    ):
        shown.add_column(name, justify="left" if name == "client" else "right")
    for client in Client:
        shown.add_row(client, *_cells(verdict.of(client)))
    shown.add_section()
    shown.add_row("all", *_cells(verdict))
    return shown


def _title(verdict: Verdict) -> str:
    strikes = sum(count for what, count in verdict.struck.items() if not what.endswith("restarted"))
    return f"Spillway under fire: {strikes} strikes in {verdict.seconds:.0f} s"


def _cells(of: Verdict) -> list[str]:
    resent = f"{of.resent_bytes / 1e6:.1f} MB, {of.resent_share:.1%}"
    counts = (of.completed, of.at_first_url, of.right, of.interrupted)
    return [str(len(of.sent)), f"{of.size_bytes / 1e6:.0f}", *map(str, counts), resent]


def remarks(verdict: Verdict) -> list[str]:
    """What was done to the site, what clients were answered, and what was wrong, with the logs of whom it concerns."""
    return [
        f"done: {_counted(verdict.struck)}; {verdict.started_again} processes were started again",
        f"spared: in {verdict.spared} of {verdict.seconds:.0f} seconds, because at most one was left",
        f"answers: {_counted(verdict.answers)}",
        *(
            [f"{verdict.errors} uploads met a 500; the site's logs are in {verdict.logs}"]
            if verdict.errors
            else []
        ),
        *verdict.failures(),
        *(line for one in verdict.sent if verdict.why(one) or one.met_an_error for line in _log_of(one)),
    ]


def _counted(counts: Counter[str] | dict[str, int]) -> str:
    return ", ".join(f"{count} x {what}" for what, count in sorted(counts.items()))


def _log_of(one: Sent) -> Iterable[str]:
    planned = one.planned
    chunk = f"{planned.chunk_bytes or planned.size_bytes} bytes a request"
    line = f"{planned.line_bytes_per_second or 'any number of'} bytes a second"
    yield f"--- {planned.name}, {planned.size_bytes} bytes, {chunk}, {line}, {one.seconds:.1f} s"
    yield from one.log
