"""A fleet that is only numbers: what the decisions are tried on, fast and in every order."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.errors import NotRunningError, ReleaseError
from deploy.fleet.holding import held
from deploy.fleet.ports import Observation, Report, Seen

_START_TICKS = 2
_DRAIN_TICKS = 3


@dataclass
class Behaviour:
    """How the instances of a release behave."""

    gets_ready: bool = True
    is_routed: bool = True
    failure_share: float = 0.0
    crashes: bool = False


@dataclass
class FleetInMemory:
    """See deploy.fleet.ports.Fleet. One look is one tick of half a second, in which ten requests are answered."""

    folder: Path
    units: dict[str, Seen] = field(default_factory=dict)
    releases: dict[str, Behaviour] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=dict)
    release: str = "a"
    before: str | None = None
    migrated: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    fewest_ready: int = 1000
    most_at_once: int = 0
    name: str = "memory"
    heals_itself: bool = False
    # Raised by the next look, as by Ctrl-C or a kill of the tool.
    interruption: BaseException | None = None
    ticks_until_interruption: int = 0
    _draining: dict[str, int] = field(default_factory=dict)
    _number: int = 0

    @classmethod
    def of(cls, folder: Path, *, web: int = 3, workers: int = 1, release: str = "a") -> "FleetInMemory":
        fleet = cls(folder, release=release, releases={release: Behaviour()})
        for kind, count in (("web", web), ("worker", workers), ("beat", 1)):
            for _ in range(count):
                name = fleet.start(kind, release)
                fleet.units[name] = _ready(fleet.units[name], 100.0)
        return fleet

    def look(self) -> Observation:
        self._interrupt()
        for name in list(self.units):
            self._tick(name)
        serving = [
            u for u in self.units.values() if u.kind == "web" and u.state is InstanceState.READY and u.routed
        ]
        self.fewest_ready = min(self.fewest_ready, len(serving))
        self.most_at_once = max(self.most_at_once, sum(u.kind == "web" for u in self.units.values()))
        return Observation("ready", release=self.release, units=list(self.units.values()))

    def _interrupt(self) -> None:
        if self.interruption is not None:
            self.ticks_until_interruption -= 1
            if self.ticks_until_interruption < 0:
                error, self.interruption = self.interruption, None
                raise error

    def _tick(self, name: str) -> None:
        unit = self.units[name]
        if name in self._draining:
            self._draining[name] -= 1
            if self._draining[name] <= 0:
                del self.units[name], self._draining[name]
            return
        behaviour = self.releases[unit.release or ""]
        age = (unit.age_seconds or 0.0) + 0.5
        if behaviour.crashes:
            self.units[name] = replace(unit, age_seconds=age, restarts=unit.restarts + 1)
        elif age > _START_TICKS * 0.5 and behaviour.gets_ready:
            self.units[name] = _served(replace(unit, routed=behaviour.is_routed), age, behaviour)
        else:
            self.units[name] = replace(unit, age_seconds=age)

    def current(self) -> str:
        return self.release

    def previous(self) -> str | None:
        return self.before

    def fetch(self, release: str | None) -> str:
        name = release or "checkout"
        if name not in self.releases:
            raise ReleaseError(f"There is no release {name}.")
        return name

    def refusals(self, release: str) -> list[str]:
        return self.refused.get(release, [])

    def migrate(self, release: str) -> None:
        self.migrated.append(release)

    def start(self, kind: str, release: str) -> str:
        if kind == "beat":
            self.units = {name: unit for name, unit in self.units.items() if unit.kind != "beat"}
        self._number += 1
        name = f"{kind}-{self._number}"
        routed = False if kind == "web" else None
        self.units[name] = Seen(
            name, kind, 1, None, release, InstanceState.STARTING, age_seconds=0.0, routed=routed
        )
        return name

    def stop(self, name: str) -> None:
        unit = self.units.get(name)
        if unit is not None and name not in self._draining:
            self.units[name] = replace(unit, state=InstanceState.DRAINING, routed=False)
            self._draining[name] = _DRAIN_TICKS

    def kill(self, name: str) -> None:
        self.units.pop(name, None)
        self._draining.pop(name, None)

    def adopt(self, release: str) -> None:
        if release != self.release:
            self.release, self.before = release, self.release

    def resize(self, kind: str, count: int) -> None:
        self.sizes[kind] = count

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        with held(self.folder / "fleet.lock", what):
            yield

    def running(self, kind: str = "web") -> list[str]:
        """The releases of what runs of this kind, in their order."""
        return sorted(str(unit.release) for unit in self.units.values() if unit.kind == kind)


def _ready(unit: Seen, seconds: float) -> Seen:
    report = Report(uptime_seconds=seconds, ready_seconds=seconds) if unit.kind == "web" else None
    return replace(
        unit, state=InstanceState.READY, age_seconds=seconds, report=report,
        routed=True if unit.kind == "web" else None,
    )  # fmt: skip


def _served(unit: Seen, age: float, behaviour: Behaviour) -> Seen:
    if unit.kind != "web":
        return replace(unit, state=InstanceState.READY, age_seconds=age, routed=None)
    before = unit.report or Report()
    total = before.requests_total + 10
    report = replace(
        before, uptime_seconds=age, ready_seconds=before.ready_seconds + 0.5, requests_total=total,
        failures_total=int(total * behaviour.failure_share), threads=16,
    )  # fmt: skip
    return replace(unit, state=InstanceState.READY, age_seconds=age, report=report)


class NothingRunsInMemory(FleetInMemory):
    """A fleet that is down."""

    def look(self) -> Observation:
        raise NotRunningError("Nothing is running.")
