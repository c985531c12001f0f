"""Owns how many web instances there should be, given what they were seen to do. Pure: no clock, no I/O.

The formula and its caution are those of Kubernetes' HorizontalPodAutoscaler ("Algorithm details" in
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from apps.lifecycle.vocabulary import InstanceState

_LIVING = {InstanceState.STARTING, InstanceState.READY, InstanceState.UNREADY}
# One sample is an accident.
_SAMPLES_LEAST = 2
# What sums of fractions are off by is no reason to start an instance.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Policy:
    """The bounds, and how eagerly to move between them. `target` is a share of the threads: 0.6 is 60 %."""

    least: int
    most: int
    target: float = 0.6
    tolerance: float = 0.1
    down_window_seconds: float = 120.0
    mean_seconds: float = 3.0

    @property
    def memory_seconds(self) -> float:
        """How old a sample may be and still count in a decision."""
        return self.down_window_seconds + 2 * self.mean_seconds


@dataclass(frozen=True)
class Figures:
    """One instance at one moment. Without a report it has no threads."""

    state: InstanceState
    in_flight: int = 0
    waiting: int = 0
    threads: int = 0

    @property
    def is_measured(self) -> bool:
        return self.state is InstanceState.READY and self.threads > 0

    @property
    def utilisation(self) -> float:
        """The share of its threads that it needs: above 1 when requests wait for one."""
        return (self.in_flight + self.waiting) / self.threads


@dataclass(frozen=True)
class Sample:
    """All instances at one moment. `wanted`: how many there shall be, where that is not how many there are."""

    at_seconds: float
    instances: tuple[Figures, ...]
    wanted: int | None = None

    @property
    def count(self) -> int:
        living = sum(one.state in _LIVING for one in self.instances)
        return living if self.wanted is None else self.wanted

    @property
    def measured(self) -> list[Figures]:
        return [one for one in self.instances if one.is_measured]

    @property
    def missing(self) -> int:
        """Instances that should be there and of which nothing is known: they start, or do not answer."""
        return max(0, self.count - len(self.measured))

    @property
    def load(self) -> float:
        """What is asked of the fleet, in instances that are fully busy. Unlike a mean it does not change by scaling."""
        return sum(one.utilisation for one in self.measured)


@dataclass(frozen=True)
class Verdict:
    """How many instances there should be, and why in words. If nothing is to change, why is for the curious."""

    count: int
    reason: str


def decide(policy: Policy, history: Sequence[Sample], now: float) -> Verdict:
    """What to do now. `history`: the samples of `memory_seconds`, oldest first, at least one.

    Up at once, at most to the double; down only to what was the highest advice of the last `down_window_seconds`,
    and never by more than half. The bounds are the operator's word and stronger than both.
    """
    count = history[-1].count
    recent = _recent(policy, history)
    advised = recommendation(policy, recent)
    words = f"{_utilisation(recent):.0%} of the threads are needed, the target is {policy.target:.0%}"
    if advised > count:
        verdict = Verdict(min(advised, max(2 * count, count + 1)), words)
    elif advised < count:
        verdict = _down(policy, history, now, words)
    else:
        verdict = Verdict(count, words)
    return _within_bounds(policy, verdict)


def _down(policy: Policy, history: Sequence[Sample], now: float, words: str) -> Verdict:
    count = history[-1].count
    began = now - policy.down_window_seconds
    if history[0].at_seconds > began:
        return Verdict(count, f"{words}, for less than {policy.down_window_seconds:.0f} s so far")
    highest = max(
        recommendation(policy, _recent(policy, history[: index + 1]))
        for index, sample in enumerate(history)
        if sample.at_seconds >= began
    )
    if highest >= count:
        return Verdict(
            count, f"{words}, but {highest} were right within the last {policy.down_window_seconds:.0f} s"
        )
    return Verdict(max(highest, ceil(count / 2)), f"{words}, for {policy.down_window_seconds:.0f} s")


def _within_bounds(policy: Policy, verdict: Verdict) -> Verdict:
    if verdict.count < policy.least:
        return Verdict(policy.least, f"{verdict.reason}; there shall be at least {policy.least}")
    if verdict.count > policy.most:
        return Verdict(policy.most, f"{verdict.reason}; there shall be at most {policy.most}")
    return verdict


def recommendation(policy: Policy, recent: Sequence[Sample]) -> int:
    """How many instances would be at the target under the load of these samples; as many as now if in doubt.

    Instances of which nothing is known do nothing when there is too much to do, and are at the target when there
    is too little. If that turns the decision around, or brings it within the tolerance, nothing is changed.
    """
    count = recent[-1].count
    if len(recent) < _SAMPLES_LEAST or not count or not any(sample.measured for sample in recent):
        return count
    up = _utilisation(recent) > policy.target
    assumed = 0.0 if up else policy.target
    load = sum(sample.load + sample.missing * assumed for sample in recent) / len(recent)
    ratio = load / count / policy.target
    if abs(ratio - 1) <= policy.tolerance + _ROUNDING or (ratio > 1) is not up:
        return count
    return ceil(load / policy.target - _ROUNDING)


def _recent(policy: Policy, history: Sequence[Sample]) -> Sequence[Sample]:
    """The samples to take the mean of: those of a few seconds, and two where looking takes long."""
    since = history[-1].at_seconds - policy.mean_seconds
    count = sum(sample.at_seconds > since for sample in history)
    return history[-max(count, _SAMPLES_LEAST) :]


def _utilisation(samples: Sequence[Sample]) -> float:
    """The mean over all instances that could be measured."""
    measured = sum(len(sample.measured) for sample in samples)
    return sum(sample.load for sample in samples) / measured if measured else 0.0
