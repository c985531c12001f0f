"""Owns the console's pure decisions: cells of exports, who may drain, counts by minute. No I/O, stdlib only."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any


class DrainAnswer(StrEnum):
    """What an operator who wants to drain an instance is told."""

    YES = "yes"
    UNKNOWN = "unknown"
    DRAINING = "draining"
    LAST = "last"


def may_drain(wanted: str, *, states: dict[str, str], ordered: Collection[str]) -> DrainAnswer:
    """Whether the instance `wanted` may be drained. `states` are those of the instances that speak; `ordered` are those
    that were told to drain already, whether or not they have begun.
    """
    if wanted not in states:
        return DrainAnswer.UNKNOWN
    if wanted in ordered or states[wanted] == "draining":
        return DrainAnswer.DRAINING
    others = [
        name for name, state in states.items() if state == "ready" and name not in ordered and name != wanted
    ]
    return DrainAnswer.YES if others else DrainAnswer.LAST


_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_cell(value: Any) -> str:
    """A value as a cell of a spreadsheet. What a program would run as a formula gets an apostrophe in front (OWASP, CSV
    injection); numbers stay numbers.
    """
    if value is None:
        return ""
    text = str(value)
    if isinstance(value, int | float):
        return text
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def differences(totals: Sequence[float | None], *, from_nothing: bool) -> list[float]:
    """Counts of each step from totals that only grow; None where nothing was heard. The first total is the ground that
    the others stand on, so there is one count less; where there is none, `from_nothing` says whether counting began
    within these steps. What was counted during a gap is in the step that ends it.
    """
    counts = list[float]()
    last = totals[0] if totals else None
    if last is None and from_nothing:
        last = 0.0
    for total in totals[1:]:
        grown = 0.0 if total is None or last is None else max(0.0, total - last)
        counts.append(grown)
        last = last if total is None else total
    return counts


def label_of(text: str, most: int) -> str:
    """The text, cut to `most` characters where it is longer."""
    return text if len(text) <= most else text[: most - 1] + "…"
