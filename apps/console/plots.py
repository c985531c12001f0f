"""Owns lines drawn as SVG paths: the numbers of an hour as coordinates. Draws no colour and no text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 240.0, 56.0


@dataclass(frozen=True)
class Line:
    """One line of a plot: `path` is an SVG path's `d`, `area` the same closed at the bottom. `name` may be empty."""

    name: str
    path: str
    area: str
    last: str = ""


@dataclass(frozen=True)
class Plot:
    """A plot of one hour. `top` is what its upper edge stands for, in words; `told` says it to who cannot see it."""

    title: str
    lines: Sequence[Line]
    top: str
    told: str
    is_empty: bool
    width: int = int(WIDTH)
    height: int = int(HEIGHT)


def line(values: Sequence[float | None], *, top: float, name: str = "", last: str = "") -> Line:
    """The values from left to right, 0 at the bottom and `top` at the top. None leaves a gap."""
    step = WIDTH / max(1, len(values) - 1)
    runs, run = list[list[tuple[float, float]]](), list[tuple[float, float]]()
    for index, value in enumerate(values):
        if value is None:
            runs, run = [*runs, run], []
            continue
        run.append((index * step, HEIGHT - 2 - (HEIGHT - 6) * min(1.0, value / top if top else 0.0)))
    runs = [each for each in [*runs, run] if each]
    return Line(name, " ".join(map(_path, runs)), " ".join(map(_area, runs)), last)


def plot(
    title: str,
    rows: Sequence[tuple[str, Sequence[float | None]]],
    *,
    shown: Any,
    floor: float = 0.0,
) -> Plot:
    """Lines that share one scale. `shown` makes words of a number; `floor` keeps a quiet hour from filling the plot."""
    highest = max((value for _, values in rows for value in values if value is not None), default=0.0)
    top = max(highest, floor)
    lines = [
        line(values, top=top, name=name, last=_shown_last(values, shown)) for name, values in rows if values
    ]
    is_empty = not any(value for _, values in rows for value in values if value is not None)
    told = "; ".join(f"{name or title}: {shown(highest)}" for name, _ in rows[:1])
    return Plot(title, lines, shown(top), told, is_empty)


def _shown_last(values: Sequence[float | None], shown: Any) -> str:
    last = next((value for value in reversed(values) if value is not None), None)
    return "" if last is None else str(shown(last))


def _path(run: Sequence[tuple[float, float]]) -> str:
    if len(run) == 1:
        x, y = run[0]
        return f"M{max(0.0, x - 1):.1f} {y:.1f}L{x + 1:.1f} {y:.1f}"
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in run)


def _area(run: Sequence[tuple[float, float]]) -> str:
    return f"M{run[0][0]:.1f} {HEIGHT:.0f}L" + _path(run)[1:] + f"L{run[-1][0]:.1f} {HEIGHT:.0f}Z"
