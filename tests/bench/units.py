"""Owns units and how figures are written. Measures nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

KIB = 2**10
MIB = 2**20
GIB = 2**30


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    figure: str
    target: str
    how: str


def megabytes_per_second(size_bytes: int, seconds: float) -> float:
    """In 10^6 bytes, as disks and networks are counted."""
    return size_bytes / 1e6 / seconds


def spread(figures: Sequence[float], unit: str, digits: int = 0) -> str:
    """`median unit (least to most)`."""
    if not figures:
        return "no figure"
    middle = f"{median(figures):,.{digits}f} {unit}"
    if len(figures) == 1:
        return middle
    return f"{middle} ({min(figures):,.{digits}f} to {max(figures):,.{digits}f})"
