"""Owns a fleet in memory that does what deploy.fleet.ports.Fleet says, and an agent whose clock is turned by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.agent import Agent
from deploy.fleet.autoscale import Policy
from deploy.fleet.errors import BusyError
from deploy.fleet.ports import Fleet, Observation, Report, Seen

STARTING, READY, UNREADY, DRAINING, STOPPED = InstanceState


class MemoryFleet:
    """A fleet in memory; what somebody else does to it is done to `units`."""

    name = "memory"
    heals_itself = False

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.units: dict[str, Seen] = {}
        self.done: list[str] = []
        self.sizes: dict[str, int] = {}
        self.phase = "ready"
        self.holder = ""
        self.broken: Exception | None = None
        self.locked = False
        self._started = 0
        for _ in range(count):
            self.add("web", READY)
        self.add("worker", READY)

    def add(self, kind: str, state: InstanceState, **changes) -> str:
        self._started += 1
        name = f"{kind}-{self._started}"
        report = Report(threads=10) if kind == "web" else None
        # Each is a second younger than the one before it.
        unit = Seen(
            name, kind, self._started, None, "r1", state, age_seconds=500.0 - self._started, report=report
        )
        self.units[name] = replace(unit, **changes)
        return name

    def all_become(self, state: InstanceState, was: InstanceState) -> None:
        for name, unit in self.units.items():
            if unit.state is was:
                self.units[name] = replace(unit, state=state)

    def load(self, total: float) -> None:
        """Spread so many requests over those that are ready."""
        serving = [unit for unit in self.units.values() if unit.kind == "web" and unit.state is READY]
        for unit in serving:
            busy = round(total / len(serving))
            self.units[unit.name] = replace(
                unit, report=Report(threads=10, in_flight=min(10, busy), waiting=max(0, busy - 10))
            )

    def names(self, kind: str = "web") -> list[str]:
        return [u.name for u in self.units.values() if u.kind == kind and u.state not in {DRAINING, STOPPED}]

    def look(self) -> Observation:
        if self.broken:
            raise self.broken
        return Observation(self.phase, units=list(self.units.values()))

    def current(self) -> str:
        return "r1"

    def previous(self) -> str | None:
        return None

    def fetch(self, release: str | None) -> str:
        return release or "r1"

    def refusals(self, release: str) -> list[str]:
        return []

    def migrate(self, release: str) -> None:
        raise AssertionError("the agent migrates nothing")

    def adopt(self, release: str) -> None:
        raise AssertionError("the agent adopts nothing")

    def start(self, kind: str, release: str) -> str:
        assert self.locked
        self.done.append(f"start {kind} {release}")
        return self.add(kind, STARTING, release=release, age_seconds=0.0)

    def stop(self, name: str) -> None:
        assert self.locked
        self.done.append(f"stop {name}")
        self.units[name] = replace(self.units[name], state=DRAINING)

    def kill(self, name: str) -> None:
        assert self.locked
        self.done.append(f"kill {name}")
        self.units.pop(name, None)

    def resize(self, kind: str, count: int) -> None:
        self.sizes[kind] = count

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        if self.holder:
            raise BusyError(f"{self.holder} changes the fleet")
        self.locked = True
        try:
            yield
        finally:
            self.locked = False


class Watched:
    """An agent, its fleet and its clock."""

    def __init__(self, fleet: MemoryFleet, policy: Policy | None) -> None:
        self.fleet = fleet
        self.now = 0.0
        self.said: list[str] = []
        seam: Fleet = fleet
        self.agent = Agent(seam, policy, self.said.append, lambda: self.now, lambda seconds: True)

    def rounds(self, count: int = 1) -> None:
        for _ in range(count):
            self.agent.round()
            self.now += 1.0

    def rounds_until(self, text: str, limit: int = 400) -> int:
        """How many rounds it took until it did that."""
        for number in range(1, limit + 1):
            self.rounds()
            if any(text in done for done in self.fleet.done):
                return number
        raise AssertionError(f"{text!r} is not in {self.fleet.done}")
