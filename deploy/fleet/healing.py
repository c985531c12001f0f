"""Owns what of a fleet is dead and what to do about it. Asks and does nothing itself: see deploy.fleet.agent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.ports import Seen
from deploy.fleet.supervision import LIVE_FAILURES_MAX, Act, live_failures_after, still_quick

KINDS = ("web", "worker", "beat")
LIVING = {InstanceState.STARTING, InstanceState.READY, InstanceState.UNREADY}
# What was started is listed by then, or it never will be.
_APPEAR_SECONDS = 15.0
# One that hangs is replaced while no other start is under way; a start that takes longer is no reason to wait.
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Step:
    """One thing to do to a fleet, and why. A start names no unit; release None is the fleet's current one."""

    act: Act
    kind: str
    reason: str
    name: str = ""
    release: str | None = None


@dataclass(frozen=True)
class Patient:
    """One unit that should run, as far as healing needs it. `STOPPED`: it ended and is still listed."""

    name: str
    kind: str
    state: InstanceState
    release: str | None = None
    live_failures: int = 0
    age_seconds: float = 0.0


def heal(patients: Sequence[Patient], wanted: Mapping[str, int], may_start: Mapping[str, bool]) -> list[Step]:
    """What to do so that there are as many living units of each kind as wanted.

    Everything that ended is replaced at once. Of those that hang only one at a time, and not while another starts:
    a machine that is too slow to answer in time becomes no faster by starting all of its instances again.
    """
    steps = [step for kind in KINDS for step in _replace_ended(kind, patients, wanted, may_start)]
    return steps or _replace_hanging(patients)


def _replace_ended(
    kind: str, patients: Sequence[Patient], wanted: Mapping[str, int], may_start: Mapping[str, bool]
) -> list[Step]:
    ours = [patient for patient in patients if patient.kind == kind]
    ended = [patient for patient in ours if patient.state is InstanceState.STOPPED]
    living, whole = len(ours) - len(ended), wanted.get(kind, 0)
    steps = [Step(Act.KILL, kind, "it ended", patient.name) for patient in ended]
    if may_start.get(kind, True):
        reason = f"{living} of {whole} {kind} are left"
        steps += [Step(Act.START, kind, reason)] * max(0, whole - living)
    return steps


def _replace_hanging(patients: Sequence[Patient]) -> list[Step]:
    web = [patient for patient in patients if patient.kind == "web"]
    if any(one.state is InstanceState.STARTING and one.age_seconds < _START_SECONDS for one in web):
        return []
    for one in web:
        if one.live_failures >= LIVE_FAILURES_MAX:
            reason = f"/livez failed {one.live_failures} times in a row"
            return [
                Step(Act.KILL, "web", reason, one.name),
                Step(Act.START, "web", f"in place of {one.name}", release=one.release),
            ]
    return []


@dataclass
class _Known:
    """One unit as it was last seen. `identity` changes when what bears the name is another process."""

    unit: Seen
    identity: tuple[int | None, int]
    since: float
    was_ready: bool = False
    was_alive: bool = False
    live_failures: int = 0


@dataclass
class Memory:
    """What the looks so far have told. Times are seconds of one clock.

    `wanted` counts, by kind, what there shall be. Who drains an instance, or starts one more, wants fewer or more of
    them: that is learned. What dies is still wanted.
    """

    wanted: dict[str, int] = field(default_factory=dict)
    quick_deaths: dict[str, tuple[float, ...]] = field(default_factory=dict)
    _known: dict[str, _Known] = field(default_factory=dict)
    _ended: list[Patient] = field(default_factory=list)
    # Names of those that we started and have not seen yet: kind, and until when to believe in them.
    _expected: dict[str, tuple[str, float]] = field(default_factory=dict)
    # Names of those that we told to stop or killed: whatever they still look like, they are not wanted.
    _told: set[str] = field(default_factory=set)

    def learn(self, units: Iterable[Seen], now: float) -> None:
        """Take in one look."""
        seen = {unit.name: unit for unit in units if unit.kind in KINDS}
        self._told &= set(seen)
        self._ended = self._ended_among(seen)
        self._bury(seen, now)
        for unit in self.living(seen.values()):
            self._meet(unit, now)
        self._expected = {
            name: (kind, until) for name, (kind, until) in self._expected.items() if now < until
        }
        for kind in KINDS:
            self.wanted[kind] = max(self.wanted.get(kind, 0), self._count(kind))

    def living(self, units: Iterable[Seen]) -> list[Seen]:
        """Those that run and that nobody told to stop."""
        return [unit for unit in units if unit.state in LIVING and unit.name not in self._told]

    def living_known(self) -> list[Seen]:
        """The same, as of the last look."""
        return [known.unit for known in self._known.values()]

    def _ended_among(self, seen: Mapping[str, Seen]) -> list[Patient]:
        """Those that we knew alive, or started: what had ended before we came is not ours to clear away."""
        return [
            Patient(unit.name, unit.kind, unit.state)
            for unit in seen.values()
            if unit.state is InstanceState.STOPPED and unit.name not in self._told
            and (unit.name in self._known or unit.name in self._expected or self._is_still_listed(unit.name))
        ]  # fmt: skip

    def _is_still_listed(self, name: str) -> bool:
        return any(patient.name == name for patient in self._ended)

    def _bury(self, seen: Mapping[str, Seen], now: float) -> None:
        """Forget those that run no more, and remember what can be learned from each."""
        for name in [name for name in self._known if name not in seen or seen[name].state not in LIVING]:
            known = self._known.pop(name)
            kind = known.unit.kind
            if name in self._told:
                continue
            if name in seen and seen[name].state is InstanceState.DRAINING:
                self.wanted[kind] -= 1
            else:
                self._note_death(kind, known.was_ready, now - known.since, now)
        for patient in self._ended:
            if self._expected.pop(patient.name, None):
                self._note_death(patient.kind, False, 0.0, now)

    def _note_death(self, kind: str, got_ready: bool, ran_seconds: float, now: float) -> None:
        before = self.quick_deaths.get(kind, ())
        self.quick_deaths[kind] = still_quick(before, got_ready=got_ready, ran_seconds=ran_seconds, now=now)

    def _meet(self, unit: Seen, now: float) -> None:
        self._expected.pop(unit.name, None)
        identity = (unit.pid, unit.restarts)
        known = self._known.get(unit.name)
        if known is None or known.identity != identity:
            known = self._known[unit.name] = _Known(unit, identity, now)
        known.unit = unit
        known.was_ready |= unit.state is InstanceState.READY

    def _count(self, kind: str) -> int:
        expected = sum(one == kind for one, _ in self._expected.values())
        return expected + sum(known.unit.kind == kind for known in self._known.values())

    @property
    def has_seen_ready(self) -> bool:
        return any(known.was_ready for known in self._known.values())

    def note_probe(self, name: str, *, answered: bool) -> None:
        """Take in whether it answered on /livez."""
        known = self._known[name]
        known.live_failures = live_failures_after(
            known.live_failures, answered=answered, seen_alive=known.was_alive
        )
        known.was_alive |= answered

    def note_start(self, name: str, kind: str, now: float) -> None:
        self._told.discard(name)
        self._expected[name] = (kind, now + _APPEAR_SECONDS)

    def note_end(self, name: str) -> None:
        """We told it to stop, or killed it."""
        self._told.add(name)
        self._known.pop(name, None)

    def patients(self, now: float) -> list[Patient]:
        """All that healing is about: the living, those that must soon be listed, and the ended."""
        living = [
            Patient(name, one.unit.kind, one.unit.state, one.unit.release, one.live_failures, now - one.since)
            for name, one in self._known.items()
        ]
        coming = [Patient(name, kind, InstanceState.STARTING) for name, (kind, _) in self._expected.items()]
        return living + coming + self._ended
