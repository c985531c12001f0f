"""Owns what a rollout or a change of size does next, given what runs. Pure: no clock, no process, no platform.

`next_step` is asked again after every look and remembers nothing: whoever was killed in the middle goes on by asking.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.ports import Seen

WEB, WORKER, BEAT = "web", "worker", "beat"
# An instance may be killed at any moment and start again; one that never gets ready crashes time and again.
CRASHES_MAX = 3


class Act(StrEnum):
    """What can be done next."""

    START = "start"
    STOP = "stop"
    KILL = "kill"
    WAIT = "wait"
    ADOPT = "adopt"
    DONE = "done"
    FAIL = "fail"


@dataclass(frozen=True)
class Canary:
    """The first instances of a release, watched for a while before the others follow."""

    percent: int
    seconds: float

    def count(self, web: int) -> int:
        """How many of `web` instances; one at least."""
        return max(1, web * self.percent // 100)


@dataclass(frozen=True)
class Goal:
    """What shall run in the end, and how to get there."""

    release: str
    web: int
    workers: int
    batch: int = 1
    # A new unit that is not ready, or that the proxy does not send to, after this long has failed.
    ready_seconds: float = 120.0
    # A new instance proves itself with requests for so long before an old one goes.
    settle_seconds: float = 2.0
    canary: Canary | None = None
    # Going back: whatever is not of this release and does not serve goes at once, nothing is waited for.
    undo: bool = False
    # A rollout makes the release the fleet's own; a change of size leaves that alone.
    adopt: bool = True

    def count(self, kind: str) -> int:
        return self.web if kind == WEB else self.workers


@dataclass(frozen=True)
class Step:
    """One thing to do: `name` is a unit's, `count` how many to start."""

    act: Act
    kind: str = ""
    name: str = ""
    reason: str = ""
    count: int = 1


def next_step(goal: Goal, units: Sequence[Seen], *, current: str) -> Step:
    """The one thing to do now. Web instances first, then the release is adopted, then workers, then beat."""
    for kind in (WEB, WORKER):
        step = _next_of(kind, goal, units)
        if step is not None:
            return step
        if kind == WEB and goal.adopt and current != goal.release:
            return Step(Act.ADOPT)
    return _next_beat(goal, units) if goal.adopt else _last_leave(units)


def _next_of(kind: str, goal: Goal, units: Sequence[Seen]) -> Step | None:
    """The next step of one kind, None when it is as it shall be."""
    leaving = [unit for unit in units if unit.kind == kind and is_leaving(unit)]
    staying = [unit for unit in units if unit.kind == kind and not is_leaving(unit)]
    fresh = [unit for unit in staying if unit.release == goal.release]
    old = [unit for unit in staying if unit.release != goal.release]
    return (
        _gone_wrong(kind, goal, old, fresh)
        or _wait_for_new(goal, fresh)
        or _watch_canary(kind, goal, old, fresh)
        or _wait_for_leaving(goal, leaving)
        or _exchange(kind, goal, old, fresh)
    )


def is_leaving(unit: Seen) -> bool:
    return unit.state is InstanceState.DRAINING


def _gone_wrong(kind: str, goal: Goal, old: Sequence[Seen], fresh: Sequence[Seen]) -> Step | None:
    if goal.undo:
        for unit in old:
            if unit.state is not InstanceState.READY:
                return Step(Act.KILL, kind, unit.name, "it does not serve")
        return None
    for unit in fresh:
        if reason := failed_because(unit, goal):
            return Step(Act.FAIL, kind, unit.name, reason)
    return None


def failed_because(unit: Seen, goal: Goal) -> str:
    """Why a new unit will not do, "" if it does or still may."""
    if unit.state is InstanceState.STOPPED:
        return f"{unit.name} has ended"
    if unit.state is not InstanceState.READY and unit.restarts >= CRASHES_MAX:
        return f"{unit.name} ends again and again ({unit.restarts} times)"
    late = unit.age_seconds is not None and unit.age_seconds > goal.ready_seconds
    if late and unit.state is not InstanceState.READY:
        why = f" ({unit.why})" if unit.why else ""
        return f"{unit.name} is {unit.state.value} {goal.ready_seconds:.0f} s after its start{why}"
    if late and unit.routed is False:
        return f"the proxy does not send to {unit.name} {goal.ready_seconds:.0f} s after its start"
    return ""


def proves_itself(unit: Seen, goal: Goal) -> bool:
    """Whether a new unit is ready, gets requests, and has done so for a moment."""
    if unit.state is not InstanceState.READY or unit.routed is False:
        return False
    return unit.kind != WEB or (unit.report is not None and unit.report.ready_seconds >= goal.settle_seconds)


def _wait_for_new(goal: Goal, fresh: Sequence[Seen]) -> Step | None:
    waiting = [unit for unit in fresh if not proves_itself(unit, goal)]
    if not waiting:
        return None
    return Step(Act.WAIT, waiting[0].kind, waiting[0].name, f"for {waiting[0].name} to serve")


def _watch_canary(kind: str, goal: Goal, old: Sequence[Seen], fresh: Sequence[Seen]) -> Step | None:
    """Start the canaries beside all the old ones, and look at them for a while before any of those goes."""
    if kind != WEB or goal.canary is None or not old or goal.undo:
        return None
    missing = goal.canary.count(goal.web) - len(fresh)
    if missing > 0 and len(old) >= goal.web:
        return Step(Act.START, kind, count=missing, reason="as canary")
    watched = min((unit.report.ready_seconds for unit in fresh if unit.report), default=0.0)
    if watched >= goal.canary.seconds:
        return None
    return Step(Act.WAIT, kind, reason=f"watching the canary for {goal.canary.seconds:.0f} s")


def _wait_for_leaving(goal: Goal, leaving: Sequence[Seen]) -> Step | None:
    if len(leaving) < goal.batch:
        return None
    return Step(Act.WAIT, leaving[0].kind, leaving[0].name, f"for {leaving[0].name} to drain")


def _exchange(kind: str, goal: Goal, old: Sequence[Seen], fresh: Sequence[Seen]) -> Step | None:
    """One more of the new, or one fewer of the old; there are never fewer than the goal that serve."""
    count = goal.count(kind)
    if len(old) + len(fresh) > count:
        # One that does not serve is missed least.
        surplus = min(old, key=lambda unit: unit.state is InstanceState.READY) if old else fresh[-1]
        return Step(Act.STOP, kind, surplus.name, "replaced" if old else "no longer wanted")
    missing = count - len(fresh)
    if missing > 0:
        return Step(Act.START, kind, count=min(missing, goal.batch))
    return None


def _next_beat(goal: Goal, units: Sequence[Seen]) -> Step:
    """There is one scheduler; a second one for a moment would do no harm, none for a moment does none either."""
    beats = [unit for unit in units if unit.kind == BEAT]
    if any(unit.release == goal.release and not is_leaving(unit) for unit in beats):
        return _last_leave(units)
    if beats or goal.workers:
        return Step(Act.START, BEAT)
    return Step(Act.DONE)


def _last_leave(units: Sequence[Seen]) -> Step:
    for unit in units:
        if is_leaving(unit):
            return Step(Act.WAIT, unit.kind, unit.name, f"for {unit.name} to drain")
    return Step(Act.DONE)
