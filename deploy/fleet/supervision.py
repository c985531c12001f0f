"""Owns what a supervisor does next, given what it sees. Pure: no clock, no process, no file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from apps.lifecycle.vocabulary import InstanceState

LIVE_FAILURES_MAX = 3
# A process that ran this long was not crashing at its start: its death is started over with at once.
STABLE_SECONDS = 10.0
FREE_RESTARTS = 3
DELAY_SECONDS_MAX = 15.0


class Act(StrEnum):
    """What can be done to a unit."""

    START = "start"
    TERMINATE = "terminate"
    KILL = "kill"


@dataclass(frozen=True)
class UnitView:
    """One unit, as far as the decision needs it. Times are seconds of one monotonic clock."""

    wanted: bool
    running: bool
    started_at: float = 0.0
    live_seen: bool = False
    live_failures: int = 0
    stopping_since: float | None = None
    stop_limit_seconds: float = 10.0
    start_limit_seconds: float = 60.0
    quick_deaths: Sequence[float] = ()


@dataclass(frozen=True)
class Decision:
    """An act and why, in words for the log."""

    act: Act
    reason: str = ""


def next_step(unit: UnitView, now: float) -> Decision | None:
    """The one thing to do to this unit now, or None."""
    if not unit.running:
        return _next_step_stopped(unit, now)
    if unit.stopping_since is not None:
        return _next_step_stopping(unit, now)
    if not unit.wanted:
        return Decision(Act.TERMINATE, "no longer wanted")
    return _next_step_sick(unit, now)


def _next_step_stopped(unit: UnitView, now: float) -> Decision | None:
    if unit.wanted and now >= restart_at(unit.quick_deaths):
        return Decision(Act.START)
    return None


def _next_step_stopping(unit: UnitView, now: float) -> Decision | None:
    waited = now - (unit.stopping_since or 0.0)
    if waited > unit.stop_limit_seconds:
        return Decision(Act.KILL, f"did not stop within {unit.stop_limit_seconds:.0f} s")
    return None


def _next_step_sick(unit: UnitView, now: float) -> Decision | None:
    if unit.live_failures >= LIVE_FAILURES_MAX and unit.live_seen:
        return Decision(Act.KILL, f"/livez failed {unit.live_failures} times in a row")
    if not unit.live_seen and now - unit.started_at > unit.start_limit_seconds:
        return Decision(Act.KILL, f"not alive {unit.start_limit_seconds:.0f} s after its start")
    return None


def live_failures_after(failures: int, *, answered: bool, seen_alive: bool) -> int:
    """How many probes in a row have failed, after one more. What fails before the first success is a slow start."""
    return 0 if answered or not seen_alive else failures + 1


def restart_at(quick_deaths: Sequence[float]) -> float:
    """When a unit that died soon after its start, at these times, may start again: at once, then ever later."""
    extra = len(quick_deaths) - FREE_RESTARTS
    if extra <= 0:
        return 0.0
    return quick_deaths[-1] + min(2.0 ** (extra - 1), DELAY_SECONDS_MAX)


def still_quick(
    quick_deaths: Sequence[float], *, got_ready: bool, ran_seconds: float, now: float
) -> tuple[float, ...]:
    """The quick deaths to remember after one more death: a process that got ready, or ran long, wipes the slate.

    What was ready can be: it did not die of how it starts, so it is started again at once, however often it dies.
    """
    if got_ready or ran_seconds >= STABLE_SECONDS:
        return ()
    return (*quick_deaths, now)


def in_crash_loop(quick_deaths: Sequence[float]) -> bool:
    return len(quick_deaths) >= FREE_RESTARTS


@dataclass(frozen=True)
class InstanceView:
    """One web instance, as far as routing needs it."""

    url: str
    running: bool
    stopping: bool
    state: InstanceState
    silent_polls: int = 0


SILENT_POLLS_MAX = 3


def routable(instances: Iterable[InstanceView]) -> list[str]:
    """The URLs that may get requests: running, not told to stop, and ready by their own word.

    An instance whose probe went unanswered keeps its place for a moment: a busy one is slow, not wrong, and
    taking it out moves its load to the others. For the same reason silence alone never takes out the last one. The
    proxy's own health check judges them meanwhile.
    """
    ready = [i for i in instances if i.running and not i.stopping and i.state is InstanceState.READY]
    answering = [i for i in ready if i.silent_polls < SILENT_POLLS_MAX]
    return [i.url for i in answering or ready]
