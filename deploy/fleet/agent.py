"""Owns the agent's loop: looks at a fleet every second, replaces what died, fits its size to the load.

What to do is decided in deploy.fleet.healing and deploy.fleet.autoscale; here it is done and told.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.autoscale import Figures, Policy, Sample, decide
from deploy.fleet.errors import BusyError, FleetError, NotRunningError
from deploy.fleet.healing import Memory, Step, heal
from deploy.fleet.ports import Fleet, Observation, Seen
from deploy.fleet.probes import instance_is_live
from deploy.fleet.supervision import Act, restart_at

PERIOD_SECONDS = 1.0
LOG_NAME = "agent.log"
ROLLOUT_NAME = "rollout.json"
_PROBES_AT_ONCE = 16

Say = Callable[[str], None]
# Waits that long; True if the agent is to end.
Sleep = Callable[[float], bool]


class Agent:
    """Looks after one fleet until `sleep` says that it is over. `policy` None: its size is left alone.

    It changes nothing while somebody else does (`Fleet.alone`) or while a rollout is unfinished, and never touches
    a unit that drains. What goes wrong is told, and tried again a second later.
    """

    def __init__(
        self, fleet: Fleet, policy: Policy | None, say: Say, clock: Callable[[], float], sleep: Sleep
    ) -> None:
        self._fleet = fleet
        self._policy = policy
        self._say = say
        self._clock = clock
        self._sleep = sleep
        self._memory = Memory()
        self._history: list[Sample] = []
        self._trouble = ""

    def run(self) -> None:
        """Until told to end, which it does between two rounds: nothing is left half done."""
        while True:
            began = self._clock()
            self.round()
            if self._sleep(max(0.0, PERIOD_SECONDS - (self._clock() - began))):
                return

    def round(self) -> None:
        """Look once and do what there is to do."""
        try:
            self._look_and_act()
        except NotRunningError as error:
            self._forget()
            self._tell_once("not running", str(error))
        except BusyError as error:
            self._tell_once("busy", f"waiting: {error}")
        except (FleetError, OSError) as error:
            self._tell_once(f"{type(error).__name__} {error}", f"failed, trying again: {error}")
        else:
            self._trouble = ""

    def _tell_once(self, trouble: str, text: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._tell(text)

    def _tell(self, text: str) -> None:
        line = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S%z} {text}"
        self._say(line)
        # A full disk is no reason to stop healing.
        try:
            with (self._fleet.folder / LOG_NAME).open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        except OSError as error:
            self._say(f"{LOG_NAME} cannot be written: {error}")

    def _forget(self) -> None:
        """What was wanted before is no longer known: somebody else has had the say."""
        self._memory = Memory()
        self._history.clear()

    # --- looking -------------------------------------------------------------------------------------------------

    def _look_and_act(self) -> None:
        seen = self._fleet.look()
        if not _is_settled(seen, self._memory):
            self._forget()
            return
        rolling = self._is_rolling()
        if rolling:
            self._memory = Memory()
        self._memory.learn(seen.units, self._clock())
        self._take_sample(seen)
        if rolling:
            raise BusyError(f"a rollout is unfinished ({ROLLOUT_NAME} is there)")
        if not self._heal():
            self._autoscale(seen)

    def _is_rolling(self) -> bool:
        return (self._fleet.folder / ROLLOUT_NAME).exists()

    def _take_sample(self, seen: Observation) -> None:
        if self._policy is None:
            return
        now = self._clock()
        figures = tuple(_figures(unit) for unit in self._memory.living(seen.instances))
        self._history.append(Sample(now, figures, self._memory.wanted["web"]))
        while self._history[0].at_seconds < now - self._policy.memory_seconds:
            del self._history[0]

    def _probe(self) -> None:
        """Ask every web instance whether it lives, all at once: one that hangs takes a second to ask."""
        units = [unit for unit in self._memory.living_known() if unit.kind == "web" and unit.address]
        with ThreadPoolExecutor(max_workers=_PROBES_AT_ONCE) as pool:
            answers = pool.map(lambda unit: instance_is_live(str(unit.address)), units)
            for unit, answered in zip(units, answers, strict=True):
                self._memory.note_probe(unit.name, answered=answered)

    # --- acting --------------------------------------------------------------------------------------------------

    def _heal(self) -> bool:
        """Replace what died; whether there was anything. A platform that heals itself needs nobody for that."""
        if self._fleet.heals_itself:
            return False
        self._probe()
        now = self._clock()
        deaths = self._memory.quick_deaths
        may_start = {kind: now >= restart_at(times) for kind, times in deaths.items()}
        steps = heal(self._memory.patients(now), self._memory.wanted, may_start)
        if steps:
            with self._alone():
                for step in steps:
                    self._do(step)
        return bool(steps)

    def _autoscale(self, seen: Observation) -> None:
        if self._policy is None:
            return
        verdict = decide(self._policy, self._history, self._clock())
        count = self._memory.wanted["web"]
        if verdict.count == count:
            return
        reason = f"web {count} -> {verdict.count}: {verdict.reason}"
        if verdict.count > count:
            steps = [Step(Act.START, "web", reason)] * (verdict.count - count)
        else:
            living = self._memory.living(seen.instances)
            # What died and is not back yet is let go of first: it only need not come back.
            names = youngest_first(living)[: max(0, len(living) - verdict.count)]
            steps = [Step(Act.TERMINATE, "web", reason, name) for name in names]
        with self._alone():
            self._scale(steps, verdict.count)

    def _scale(self, steps: list[Step], count: int) -> None:
        """Do these to get to `count`; if one fails, the fleet remembers the size that was reached."""
        before = self._memory.wanted["web"]
        try:
            for step in steps:
                self._do(step)
                self._memory.wanted["web"] += 1 if step.act is Act.START else -1
            self._memory.wanted["web"] = count
        finally:
            if self._memory.wanted["web"] != before:
                self._fleet.resize("web", self._memory.wanted["web"])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._fleet.alone("agent"):
            # It may have begun since we looked.
            if self._is_rolling():
                raise BusyError("a rollout has begun")
            yield

    def _do(self, step: Step) -> None:
        if step.act is Act.START:
            release = step.release or self._fleet.current()
            name = self._fleet.start(step.kind, release)
            self._memory.note_start(name, step.kind, self._clock())
            self._tell(f"start {name} (release {release}): {step.reason}")
            return
        (self._fleet.kill if step.act is Act.KILL else self._fleet.stop)(step.name)
        self._memory.note_end(step.name)
        self._tell(f"{'kill' if step.act is Act.KILL else 'stop'} {step.name}: {step.reason}")


def _is_settled(seen: Observation, memory: Memory) -> bool:
    """Whether there is a fleet to look after: not one that is being started or stopped by somebody."""
    if not seen.running or seen.phase == "stopping":
        return False
    is_ready = any(unit.state is InstanceState.READY for unit in seen.instances)
    return seen.phase != "starting" or is_ready or memory.has_seen_ready


def _figures(unit: Seen) -> Figures:
    if unit.report is None:
        return Figures(unit.state)
    return Figures(unit.state, unit.report.in_flight, unit.report.waiting, unit.report.threads)


def youngest_first(units: list[Seen]) -> list[str]:
    """Names in the order in which to let them go: ready ones, the youngest first; others only after them."""

    def order(unit: Seen) -> tuple[bool, float]:
        # One of unknown age may be as old as the fleet.
        age = unit.age_seconds if unit.age_seconds is not None else float("inf")
        return unit.state is not InstanceState.READY, age

    return [unit.name for unit in sorted(units, key=order)]
