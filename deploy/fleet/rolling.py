"""Owns the loop of a rollout or a change of size: look, ask plan.py what is next, do it, until it is done.

What has been done is never remembered, only looked at: a loop that was killed is simply started again.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from http.client import HTTPException

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.diary import Diary
from deploy.fleet.errors import FleetError, RolloutFailedError
from deploy.fleet.judging import Tally, worse
from deploy.fleet.plan import WEB, Act, Goal, Step, next_step
from deploy.fleet.ports import Fleet, Observation, Seen
from deploy.fleet.probes import http_get
from deploy.fleet.watching import Watch

LOOK_SECONDS = 0.5
# Far beyond what draining every instance in turn takes: somebody must be told rather than wait for ever.
_LIMIT_SECONDS = 3600.0
_PAGE = "/"
_PAGE_SECONDS = 10.0


class Rolling:
    """One goal, pursued on one fleet. The caller holds `fleet.alone`."""

    def __init__(
        self, fleet: Fleet, goal: Goal, diary: Diary, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._fleet = fleet
        self._goal = goal
        self._diary = diary
        self._sleep = sleep
        self._watch = Watch(goal.release)
        self._told = ""
        self._stopped: set[str] = set()
        self._tried: set[str] = set()

    def run(self) -> Tally:
        """Until the goal is reached; returns what all instances answered meanwhile.

        Raises RolloutFailedError with the reason when it cannot be reached; then nothing more is done.
        """
        until = time.monotonic() + _LIMIT_SECONDS
        while time.monotonic() < until:
            seen = self._look()
            step = self._judged(seen) or self._next(seen)
            if step.act is Act.DONE:
                return self._watch.of_all()
            self._do(step)
            if step.act is Act.WAIT:
                self._sleep(LOOK_SECONDS)
        raise RolloutFailedError(f"not done after {_LIMIT_SECONDS / 60:.0f} minutes")

    def _look(self) -> Observation:
        seen = self._fleet.look()
        # Told to stop a moment ago, it may not have heard yet: it is on its way all the same.
        units = [_leaving(unit) if unit.name in self._stopped else unit for unit in seen.units]
        self._stopped &= {unit.name for unit in units}
        seen = replace(seen, units=units)
        for line in self._watch.look(seen):
            self._diary.step(line)
        return seen

    def _next(self, seen: Observation) -> Step:
        return next_step(self._goal, seen.units, current=self._fleet.current())

    # --- judging ---------------------------------------------------------------------------------------------

    def _judged(self, seen: Observation) -> Step | None:
        """FAIL when the new release answers worse than the old one, or a new instance does not answer at all."""
        if self._goal.undo or not self._goal.adopt:
            return None
        reason = worse(self._watch.of_new(), self._watch.of_old(), with_latency=self._goal.canary is not None)
        for unit in seen.instances:
            reason = reason or self._page_refused(unit)
        return Step(Act.FAIL, WEB, reason=reason) if reason else None

    def _page_refused(self, unit: Seen) -> str:
        """Ask a new instance for one page, once: ready is its own word only."""
        new = unit.release == self._goal.release and unit.state is InstanceState.READY
        if not new or unit.address is None or unit.name in self._tried:
            return ""
        self._tried.add(unit.name)
        try:
            status, _ = http_get(unit.address, _PAGE, _PAGE_SECONDS)
        except (OSError, HTTPException) as error:
            return "" if self._gone(unit) else f"{unit.name} is ready but does not answer ({error})"
        return f"{unit.name} is ready but answers {status} to {_PAGE}" if status >= 500 else ""

    def _gone(self, unit: Seen) -> bool:
        """It may have been killed since it was looked at: that says nothing about its release."""
        now = {each.name: each for each in self._fleet.look().instances}.get(unit.name)
        self._tried.discard(unit.name)
        return now is None or now.state is not InstanceState.READY

    # --- doing -----------------------------------------------------------------------------------------------

    def _do(self, step: Step) -> None:
        match step.act:
            case Act.WAIT:
                self._tell_once(f"waiting {step.reason}" if step.name else step.reason)
            case Act.START:
                for _ in range(step.count):
                    self._start(step)
            case Act.STOP:
                self._diary.step(f"{step.name} is told to stop: {step.reason}")
                self._stopped.add(step.name)
                self._fleet.stop(step.name)
            case Act.KILL:
                self._diary.step(f"{step.name} is removed: {step.reason}")
                self._fleet.kill(step.name)
            case Act.ADOPT:
                self._fleet.adopt(self._goal.release)
                self._diary.step(f"{self._goal.release} is now the fleet's release")
            case Act.FAIL:
                raise RolloutFailedError(step.reason)

    def _start(self, step: Step) -> None:
        name = self._fleet.start(step.kind, self._goal.release)
        self._diary.step(
            " ".join(filter(None, [f"{name} starts, release {self._goal.release}", step.reason]))
        )

    def _tell_once(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self._diary.step(text)


def _leaving(unit: Seen) -> Seen:
    return replace(unit, state=InstanceState.DRAINING)


def undo(fleet: Fleet, goal: Goal, release: str, diary: Diary) -> str:
    """Go back to `release` after a failure; returns what remains to be said if even that fails, else ""."""
    back = replace(goal, release=release, undo=True, canary=None, settle_seconds=0.0)
    try:
        Rolling(fleet, back, diary).run()
    except FleetError as error:
        return f" Going back failed too: {error}."
    return ""
