"""The decisions of an instance's life, as tables and as properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.lifecycle.rules import (
    CheckSeen,
    PoolSeen,
    PoolTrouble,
    all_ok,
    check_verdict,
    drain_outlasts_detection,
    may_hand_over,
    next_state,
    pool_trouble,
    pool_verdict,
    worst_verdicts,
)
from apps.lifecycle.vocabulary import DrainPhase, InstanceState

FINE = {"database": "ok", "redis": "ok"}
BROKEN = {"database": "cannot be reached", "redis": "ok"}
S, D, X = DrainPhase.SERVING, DrainPhase.DRAINING, DrainPhase.STOPPING


@pytest.mark.parametrize(
    ("phase", "warmed", "wanted", "was_ready", "verdicts", "expected"),
    [
        (S, [], 1, False, FINE, "starting"),
        (S, [False], 1, False, FINE, "starting"),
        (S, [True], 1, False, FINE, "ready"),
        (S, [True], 1, False, BROKEN, "unready"),
        (S, [True], 1, False, {}, "unready"),
        (S, [True, False], 2, False, FINE, "starting"),
        (S, [True, True], 2, False, FINE, "ready"),
        (S, [True, False], 2, True, FINE, "ready"),
        (S, [True], 2, True, FINE, "ready"),
        (S, [False, False], 2, True, FINE, "starting"),
        (D, [True], 1, True, FINE, "draining"),
        (D, [False], 1, False, BROKEN, "draining"),
        (X, [True], 1, True, FINE, "draining"),
    ],
)
def test_the_state_follows_from_phase_workers_and_checks(
    phase, warmed, wanted, was_ready, verdicts, expected
):
    reached = next_state(
        phase=phase, warmed=warmed, workers_wanted=wanted, was_ready=was_ready, verdicts=verdicts
    )
    assert reached == InstanceState(expected)


@given(
    warmed=st.lists(st.booleans(), max_size=5),
    wanted=st.integers(1, 5),
    was_ready=st.booleans(),
    verdicts=st.dictionaries(st.sampled_from(["database", "redis", "pool"]), st.sampled_from(["ok", "no"])),
)
def test_an_instance_is_ready_only_with_a_warm_worker_and_all_checks_ok(warmed, wanted, was_ready, verdicts):
    reached = next_state(
        phase=S, warmed=warmed, workers_wanted=wanted, was_ready=was_ready, verdicts=verdicts
    )
    if reached is InstanceState.READY:
        assert any(warmed)
        assert set(verdicts.values()) == {"ok"}


def _verdict(seen, now=100.0):
    return check_verdict(seen, now=now, period_seconds=2, limit_seconds=1.5)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (CheckSeen(), "not checked yet"),
        (CheckSeen(running_since=99), "not checked yet"),
        (CheckSeen(ok=True, finished_at=99), "ok"),
        (CheckSeen(ok=True, finished_at=94), "ok"),
        (CheckSeen(ok=True, finished_at=93.9), "last checked 6 s ago"),
        (CheckSeen(ok=False, reason="cannot be reached", finished_at=99), "cannot be reached"),
        (CheckSeen(ok=False, finished_at=99), "failed"),
        (CheckSeen(ok=True, finished_at=98, running_since=98.6), "ok"),
        (CheckSeen(ok=True, finished_at=98, running_since=98), "no answer for 2 s"),
        (CheckSeen(running_since=98), "no answer for 2 s"),
    ],
)
def test_a_check_is_judged_by_its_result_its_age_and_how_long_it_runs(seen, expected):
    assert _verdict(seen) == expected


@given(st.floats(0, 1000), st.floats(0, 1000))
def test_an_ok_never_outlives_three_periods(finished_at, later):
    seen = CheckSeen(ok=True, finished_at=finished_at)
    verdict = check_verdict(seen, now=finished_at + later, period_seconds=2, limit_seconds=1.5)
    if later > 6.001:
        assert verdict != "ok"


def test_an_instance_is_as_bad_as_its_worst_worker():
    assert worst_verdicts([FINE, BROKEN, FINE]) == BROKEN
    assert worst_verdicts([BROKEN, FINE]) == BROKEN
    assert worst_verdicts([FINE, FINE]) == FINE
    assert worst_verdicts([]) == {}


def test_no_verdict_at_all_is_not_ok():
    assert not all_ok({})


@pytest.mark.parametrize(
    ("phase", "stopping", "expected"),
    [(S, False, False), (D, False, False), (X, False, True), (S, True, True), (D, True, True)],
)
def test_uploads_hand_over_when_the_drain_has_ended_or_their_worker_stops(phase, stopping, expected):
    assert may_hand_over(phase=phase, worker_stopping=stopping) is expected


def _pool(size=4, available=0, waiting=0, refused=0):
    return PoolSeen(size=size, available=available, waiting=waiting, refused=refused)


def _looks(*seen_at: tuple[float, PoolSeen]) -> str:
    trouble, verdict = PoolTrouble(), ""
    for now, seen in seen_at:
        trouble = pool_trouble(trouble, seen, now=now)
        verdict = pool_verdict(trouble, seen, now=now, moment_seconds=1)
    return verdict


def test_a_busy_pool_is_fine_as_long_as_nobody_waits():
    assert _looks((0, _pool()), (10, _pool()), (20, _pool())) == "ok"


def test_waiting_for_a_moment_is_fine():
    assert _looks((0, _pool(waiting=3)), (0.9, _pool(waiting=3))) == "ok"


def test_waiting_for_longer_than_a_moment_is_exhaustion():
    assert _looks((0, _pool(waiting=3)), (1.1, _pool(waiting=1))).startswith("exhausted")


def test_two_short_waits_are_not_a_long_one():
    assert _looks((0, _pool(waiting=3)), (0.9, _pool()), (1.8, _pool(waiting=1))) == "ok"


def test_a_request_that_got_no_connection_is_exhaustion_for_a_moment():
    assert _looks((0, _pool(refused=0)), (1, _pool(refused=2))).startswith("exhausted")
    assert _looks((0, _pool(refused=0)), (1, _pool(refused=2)), (2.1, _pool(refused=2))) == "ok"


def test_a_queue_beside_free_connections_is_only_those_who_gave_up():
    assert _looks((0, _pool(available=1, waiting=3)), (5, _pool(available=1, waiting=3))) == "ok"


def test_a_pool_that_holds_nothing_is_a_failure():
    assert _looks((0, _pool(size=0))) == "no connection is open"


@pytest.mark.parametrize(
    ("drain", "check", "expected"),
    [(5, 1, True), (3, 1, True), (2.9, 1, False), (5, 30, False), (0, 1, False)],
)
def test_a_drain_must_outlast_two_looks_of_the_proxy(drain, check, expected):
    assert drain_outlasts_detection(drain_seconds=drain, proxy_check_seconds=check) is expected
