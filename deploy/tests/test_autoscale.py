"""How many instances there should be, as tables and as properties: no process, no clock."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.autoscale import Figures, Policy, Sample, decide, recommendation

NOW = 1000.0
THREADS = 10
POLICY = Policy(least=1, most=20)
STARTING = Figures(InstanceState.STARTING)
UNREADY = Figures(InstanceState.UNREADY, in_flight=10, threads=THREADS)
SILENT = Figures(InstanceState.READY)
DRAINING = Figures(InstanceState.DRAINING, in_flight=10, threads=THREADS)
STOPPED = Figures(InstanceState.STOPPED)


def ready(*in_flight: int, waiting: int = 0) -> list[Figures]:
    return [Figures(InstanceState.READY, busy, waiting, THREADS) for busy in in_flight]


def history(*moments: list[Figures], now: float = NOW) -> list[Sample]:
    """A sample a second, the last one now."""
    return [
        Sample(now - age, tuple(one)) for age, one in zip(range(len(moments))[::-1], moments, strict=True)
    ]


def steadily(instances: list[Figures], seconds: int = 130) -> list[Sample]:
    return history(*[instances] * seconds)


STEADY: list[tuple[str, list[Figures], int]] = [
    ("a load at the target changes nothing", ready(6, 6, 6), 3),
    ("a tenth above the target is tolerated", ready(7, 6, 6), 3),
    ("a tenth below it too", ready(5, 6, 6), 3),
    ("more than a tenth above it is not", ready(7, 7, 7), 4),
    ("less than a tenth below it is not", ready(4, 4, 4), 2),
    ("only the mean counts", ready(10, 1, 7), 3),
    ("requests that wait for a thread are load", ready(10, 10, waiting=5), 4),
    ("twice the target needs twice as many", ready(*[12] * 4), 8),
    ("never more than the double at once", ready(*[10] * 2, waiting=90), 4),
    ("one may always be added", ready(10, waiting=50), 2),
    ("never more than the most", ready(*[10] * 15, waiting=20), 20),
    ("never less than half at once", ready(*[0] * 8), 4),
    ("half of an odd number leaves the larger half", ready(*[0] * 7), 4),
    ("an idle fleet keeps the least", ready(0), 1),
    ("more than the most are let go of at once", ready(*[6] * 22), 20),
    ("one that starts takes nothing of the load when there is too much", [*ready(10, 10), STARTING], 4),
    ("nobody is started in place of those that start already", [*ready(10, 10), STARTING, STARTING], 4),
    ("nor when they bring it within the tolerance", [*ready(9, 9), STARTING], 3),
    ("if those that start would turn it around nothing is done", [*ready(8, 8), STARTING, STARTING], 4),
    ("one that starts is at the target when there is too little", [*ready(2, 2), STARTING], 2),
    ("one that is not ready is one more that may come", [*ready(10, 10), UNREADY], 4),
    ("one that does not answer counts as at the target", [*ready(5, 5), SILENT], 3),
    ("one that drains is not there", [*ready(6, 6), DRAINING], 2),
    ("one that has ended is not there", [*ready(6, 6), STOPPED], 2),
    ("nothing is known of a fleet that only starts", [STARTING, STARTING], 2),
    ("a fleet in which nobody answers is left alone", [SILENT, SILENT, SILENT], 3),
    ("an empty one gets the least", [], 1),
]


@pytest.mark.parametrize(("instances", "count"), [row[1:] for row in STEADY], ids=[row[0] for row in STEADY])
def test_a_steady_load(instances: list[Figures], count: int) -> None:
    assert decide(POLICY, steadily(instances), NOW).count == count


IDLE, CALM, BUSY = ready(0, 0, 0), ready(6, 6, 6), ready(10, 10, 10, waiting=10)
MOVING: list[tuple[str, list[Sample], int]] = [
    ("one sample is an accident", history(BUSY), 3),
    ("a small peak of one second is none", history(*[IDLE] * 9, ready(10, 10, 10)), 3),
    ("a flood is seen", history(*[CALM] * 3, BUSY, BUSY), 6),
    ("a calm after a flood changes nothing at first", history(*[BUSY] * 9, *[CALM] * 3), 3),
    ("idle for too short a time", history(*[IDLE] * 119), 3),
    ("idle for long enough", history(*[IDLE] * 122), 2),
    ("busy within the window", history(*[CALM] * 30, *[IDLE] * 119), 3),
    ("busy before the window", history(*[CALM] * 30, *[IDLE] * 124), 2),
    ("the highest advice of the window decides", history(*[ready(3, 3, 3)] * 30, *[IDLE] * 110), 2),
    ("looking that takes three seconds is slow, not blind",
     [Sample(NOW - 9, tuple(BUSY)), Sample(NOW - 4, tuple(BUSY)), Sample(NOW, tuple(BUSY))], 6),
    ("what came a second ago shares the load", history(*[ready(12, 12, 12)] * 2, ready(6, 6, 6, 6, 6, 6)), 6),
]  # fmt: skip


@pytest.mark.parametrize(("samples", "count"), [row[1:] for row in MOVING], ids=[row[0] for row in MOVING])
def test_a_load_that_changes(samples: list[Sample], count: int) -> None:
    assert decide(POLICY, samples, NOW).count == count


def test_the_least_is_kept_when_idle() -> None:
    verdict = decide(Policy(least=3, most=8), steadily(ready(0, 0, 0)), NOW)
    assert verdict.count == 3
    assert "at least 3" in verdict.reason


def test_what_died_and_will_be_replaced_is_not_let_go_of() -> None:
    samples = [Sample(NOW - age, tuple(ready(6, 6)), wanted=3) for age in range(130)[::-1]]
    assert decide(POLICY, samples, NOW).count == 3


def test_the_reason_has_the_figures() -> None:
    verdict = decide(POLICY, steadily(ready(10, 10)), NOW)
    assert verdict.reason == "100% of the threads are needed, the target is 60%"


def test_the_reason_for_waiting_names_the_highest_advice() -> None:
    samples = history(*[ready(9, 9, 9)] * 30, *[ready(0, 0, 0)] * 100)
    assert "5 were right within the last 120 s" in decide(POLICY, samples, NOW).reason


FIGURES = st.builds(
    Figures,
    state=st.sampled_from(InstanceState),
    in_flight=st.integers(0, 20),
    waiting=st.integers(0, 60),
    threads=st.sampled_from([0, 4, 10, 20]),
)
FLEETS = st.lists(FIGURES, min_size=0, max_size=12)
HISTORIES = st.lists(FLEETS, min_size=1, max_size=40).map(lambda moments: history(*moments))
POLICIES = st.builds(
    lambda least, more, target, window: Policy(least, least + more, target, down_window_seconds=window),
    st.integers(1, 6), st.integers(0, 10), st.sampled_from([0.3, 0.6, 0.9]), st.sampled_from([5.0, 30.0, 120.0]),
)  # fmt: skip


@given(POLICIES, HISTORIES)
def test_it_is_always_within_the_bounds(policy: Policy, samples: list[Sample]) -> None:
    assert policy.least <= decide(policy, samples, NOW).count <= policy.most


@given(POLICIES, HISTORIES)
def test_it_never_more_than_doubles_nor_less_than_halves(policy: Policy, samples: list[Sample]) -> None:
    count, verdict = samples[-1].count, decide(policy, samples, NOW)
    assert verdict.count <= max(2 * count, 1, policy.least)
    assert verdict.count >= min(ceil(count / 2), policy.most)


@given(POLICIES, HISTORIES)
def test_it_never_goes_below_an_advice_of_the_window(policy: Policy, samples: list[Sample]) -> None:
    verdict = decide(policy, samples, NOW)
    for age in range(min(len(samples), int(policy.down_window_seconds))):
        seen = samples[: len(samples) - age]
        advice = recommendation(policy, seen[-3:])
        assert verdict.count >= min(advice, samples[-1].count, policy.most)


@given(st.integers(1, 12), st.sampled_from([10, 20, 40]), st.integers(2, 200))
def test_a_steady_load_at_the_target_changes_nothing(count: int, threads: int, seconds: int) -> None:
    busy = Figures(InstanceState.READY, in_flight=threads * 6 // 10, threads=threads)
    assert decide(POLICY, steadily([busy] * count, seconds), NOW).count == count


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.integers(0, 4))
def test_those_that_start_never_make_it_start_more(busy: list[int], coming: int) -> None:
    without = recommendation(POLICY, steadily(ready(*busy), 3))
    wanted = recommendation(POLICY, steadily([*ready(*busy), *[STARTING] * coming], 3))
    assert wanted <= max(without, len(busy) + coming)
