"""Owns what is seen of instances in the course of a rollout: their figures since it began, and how draining ones went.

Nothing here decides; the figures are handed to judging.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from deploy.fleet.judging import Tally, tally_between
from deploy.fleet.plan import WEB, is_leaving
from deploy.fleet.ports import Observation, Report, Seen


@dataclass
class _Life:
    """One process of one instance: a restart begins another one."""

    release: str
    first: Report
    last: Report

    def take(self, report: Report) -> bool:
        """Whether it is still the same process."""
        if report.uptime_seconds < self.last.uptime_seconds:
            return False
        self.last = report
        return True


@dataclass
class Watch:
    """Figures of all instances since the first look. Those of the new release count from their start."""

    release: str
    _lives: list[_Life] = field(default_factory=list)
    _open: dict[str, _Life] = field(default_factory=dict)
    _leaving: dict[str, bool | None] = field(default_factory=dict)

    def look(self, seen: Observation) -> list[str]:
        """Take in one observation; returns what is worth telling about units that drain, a line each."""
        for unit in seen.units:
            if unit.kind == WEB and unit.report is not None:
                self._take(unit, unit.report)
        return self._departures(seen.units)

    def _take(self, unit: Seen, report: Report) -> None:
        life = self._open.get(unit.name)
        if life is not None and life.take(report):
            return
        release = unit.release or ""
        # Whatever started while we look has all its figures since; so does the new release, whenever we came.
        fresh = life is not None or release == self.release
        made = _Life(release, Report() if fresh else report, report)
        self._open[unit.name] = made
        self._lives.append(made)

    def _departures(self, units: Sequence[Seen]) -> list[str]:
        told = []
        here = {unit.name: unit for unit in units if unit.kind == WEB}
        for name, unit in here.items():
            if is_leaving(unit) and self._leaving.get(name, True) is not False and unit.routed is False:
                told.append(f"the proxy has let {name} go")
            if is_leaving(unit):
                self._leaving[name] = unit.routed
        for name in [name for name in self._leaving if name not in here]:
            let_go = self._leaving.pop(name)
            told.append(f"{name} has stopped" + (", while the proxy still knew it" if let_go else ""))
        return told

    def of_new(self) -> Tally:
        return _sum(life for life in self._lives if life.release == self.release)

    def of_old(self) -> Tally:
        return _sum(life for life in self._lives if life.release != self.release)

    def of_all(self) -> Tally:
        return _sum(self._lives)


def _sum(lives: Iterable[_Life]) -> Tally:
    return sum((tally_between(life.first, life.last) for life in lives), Tally())
