"""What the supervisor does next, as a table: no process, no clock."""

from typing import Any

import pytest

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.supervision import (
    SILENT_POLLS_MAX,
    Act,
    InstanceView,
    UnitView,
    in_crash_loop,
    live_failures_after,
    next_step,
    restart_at,
    routable,
    still_quick,
)

NOW = 1000.0
RUNNING: dict[str, Any] = {"wanted": True, "running": True, "started_at": NOW - 30}

TABLE: list[tuple[str, dict[str, Any], Act | None]] = [
    ("a wanted unit that does not run is started", {"wanted": True, "running": False}, Act.START),
    ("an unwanted unit that does not run is left alone", {"wanted": False, "running": False}, None),
    ("a running unit that lives is left alone", {**RUNNING, "live_seen": True}, None),
    ("an unwanted unit that runs is told to stop", {"wanted": False, "running": True}, Act.TERMINATE),
    ("one that is stopping is waited for", {"wanted": False, "running": True, "stopping_since": NOW - 9}, None),
    ("one that outlasts its limit is killed", {"wanted": False, "running": True, "stopping_since": NOW - 11}, Act.KILL),
    ("a stopping one is killed though wanted again", {**RUNNING, "stopping_since": NOW - 11}, Act.KILL),
    ("two failed liveness probes are forgiven", {**RUNNING, "live_seen": True, "live_failures": 2}, None),
    ("three in a row are not", {**RUNNING, "live_seen": True, "live_failures": 3}, Act.KILL),
    ("a slow start is waited for", {**RUNNING, "started_at": NOW - 59}, None),
    ("but not for ever", {**RUNNING, "started_at": NOW - 61}, Act.KILL),
    ("a database may recover for minutes", {**RUNNING, "started_at": NOW - 61, "start_limit_seconds": 300}, None),
    ("the third quick death is free", {"wanted": True, "running": False, "quick_deaths": (NOW,) * 3}, Act.START),
    ("the fourth waits", {"wanted": True, "running": False, "quick_deaths": (NOW,) * 4}, None),
    ("until its time has come", {"wanted": True, "running": False, "quick_deaths": (NOW - 1,) * 4}, Act.START),
]  # fmt: skip


@pytest.mark.parametrize(("unit", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_next_step(unit, expected) -> None:
    decision = next_step(UnitView(**unit), NOW)
    assert (decision.act if decision else None) is expected


def test_a_kill_says_why() -> None:
    decision = next_step(UnitView(**RUNNING, live_seen=True, live_failures=3), NOW)
    assert decision is not None
    assert "/livez failed 3 times" in decision.reason


@pytest.mark.parametrize(("deaths", "delay"), [(3, 0), (4, 1), (5, 2), (6, 4), (7, 8), (8, 15), (20, 15)])
def test_restarts_come_later_and_later(deaths: int, delay: float) -> None:
    assert restart_at([NOW] * deaths) == (NOW + delay if delay else 0.0)


def test_a_stable_run_wipes_the_slate() -> None:
    assert still_quick((1.0, 2.0), got_ready=False, ran_seconds=10.0, now=NOW) == ()


def test_a_unit_that_was_ready_for_a_moment_is_not_crashing_at_its_start() -> None:
    assert still_quick((1.0, 2.0), got_ready=True, ran_seconds=0.5, now=NOW) == ()


def test_a_quick_death_is_remembered() -> None:
    assert still_quick((1.0,), got_ready=False, ran_seconds=9.9, now=NOW) == (1.0, NOW)


def test_three_quick_deaths_are_a_crash_loop() -> None:
    assert in_crash_loop((1.0, 2.0, 3.0))
    assert not in_crash_loop((1.0, 2.0))


def test_probes_that_fail_before_the_first_success_do_not_count() -> None:
    assert live_failures_after(0, answered=False, seen_alive=False) == 0


def test_probes_that_fail_after_it_do() -> None:
    assert live_failures_after(1, answered=False, seen_alive=True) == 2


def test_one_answer_forgives_all_failures() -> None:
    assert live_failures_after(2, answered=True, seen_alive=True) == 0


def _instance(**changes) -> InstanceView:
    plain: dict[str, Any] = {
        "url": "http://a",
        "running": True,
        "stopping": False,
        "state": InstanceState.READY,
    }
    return InstanceView(**(plain | changes))


def test_a_ready_instance_gets_requests() -> None:
    assert routable([_instance()]) == ["http://a"]


@pytest.mark.parametrize("state", [state for state in InstanceState if state is not InstanceState.READY])
def test_an_instance_in_any_other_state_gets_none(state: InstanceState) -> None:
    assert routable([_instance(state=state)]) == []


def test_an_instance_that_was_told_to_stop_gets_none() -> None:
    assert routable([_instance(stopping=True)]) == []


def test_a_dead_instance_gets_none() -> None:
    assert routable([_instance(running=False)]) == []


def test_a_busy_instance_is_given_a_moment() -> None:
    assert routable([_instance(silent_polls=SILENT_POLLS_MAX - 1)]) == ["http://a"]


def test_a_silent_instance_is_not_waited_for_while_another_answers() -> None:
    silent = _instance(silent_polls=SILENT_POLLS_MAX)
    assert routable([silent, _instance(url="http://b")]) == ["http://b"]


def test_silence_alone_does_not_take_out_the_last_instances() -> None:
    silent = [_instance(url=url, silent_polls=SILENT_POLLS_MAX) for url in ("http://a", "http://b")]
    assert routable(silent) == ["http://a", "http://b"]


def test_a_silent_instance_that_is_stopping_is_not_kept_even_as_the_last() -> None:
    assert routable([_instance(silent_polls=SILENT_POLLS_MAX, stopping=True)]) == []
