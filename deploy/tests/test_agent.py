"""The agent's loop over a fleet that is in memory and does what the Protocol says."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.agent import LOG_NAME, ROLLOUT_NAME, Agent, youngest_first
from deploy.fleet.autoscale import Policy
from deploy.fleet.errors import FleetError, NotRunningError, ReleaseError
from deploy.fleet.ports import Seen
from deploy.tests.conftest import TellingInstance, free_port
from deploy.tests.memory_fleet import DRAINING, READY, STARTING, STOPPED, MemoryFleet, Watched


@pytest.fixture
def fleet(tmp_path: Path) -> MemoryFleet:
    """Three instances and a worker."""
    return MemoryFleet(tmp_path, 3)


@pytest.fixture
def healer(fleet: MemoryFleet) -> Watched:
    """An agent that only heals, and has seen the fleet."""
    watched = Watched(fleet, None)
    watched.rounds()
    return watched


@pytest.fixture
def scaler(fleet: MemoryFleet) -> Watched:
    """An agent that has seen the fleet at its target for a while."""
    watched = Watched(fleet, Policy(2, 8))
    fleet.load(18)
    watched.rounds(5)
    return watched


def test_a_calm_fleet_is_left_alone(scaler: Watched) -> None:
    scaler.rounds(300)
    assert scaler.fleet.done == []
    assert scaler.said == []


def test_an_instance_that_vanished_is_replaced_at_the_next_look(healer: Watched) -> None:
    del healer.fleet.units["web-2"]
    healer.rounds()
    assert healer.fleet.done == ["start web r1"]


def test_it_is_replaced_once(healer: Watched) -> None:
    del healer.fleet.units["web-2"]
    healer.rounds(30)
    assert healer.fleet.done == ["start web r1"]


def test_one_that_is_listed_late_is_waited_for(healer: Watched) -> None:
    del healer.fleet.units["web-2"]
    healer.rounds()
    late = healer.fleet.units.pop("web-5")
    healer.rounds(5)
    healer.fleet.units["web-5"] = late
    healer.rounds(30)
    assert healer.fleet.done == ["start web r1"]


def test_an_instance_that_ended_is_cleared_away_and_replaced(healer: Watched) -> None:
    healer.fleet.units["web-2"] = replace(healer.fleet.units["web-2"], state=STOPPED)
    healer.rounds(3)
    assert healer.fleet.done == ["kill web-2", "start web r1"]


def test_several_that_died_are_replaced_at_once(healer: Watched) -> None:
    for name in healer.fleet.names():
        del healer.fleet.units[name]
    healer.rounds()
    assert healer.fleet.done == ["start web r1"] * 3


def test_a_worker_that_ended_is_replaced(healer: Watched) -> None:
    del healer.fleet.units["worker-4"]
    healer.rounds()
    assert healer.fleet.done == ["start worker r1"]


def test_what_had_ended_before_the_agent_came_is_left_alone(fleet: MemoryFleet) -> None:
    fleet.add("web", STOPPED)
    Watched(fleet, None).rounds(3)
    assert fleet.done == []


def test_one_that_somebody_else_drains_is_not_replaced(healer: Watched) -> None:
    healer.fleet.units["web-2"] = replace(healer.fleet.units["web-2"], state=DRAINING)
    healer.rounds(3)
    del healer.fleet.units["web-2"]
    healer.rounds(3)
    assert healer.fleet.done == []


def test_one_that_somebody_else_adds_is_kept(healer: Watched) -> None:
    name = healer.fleet.add("web", READY)
    healer.rounds(2)
    del healer.fleet.units[name]
    healer.rounds()
    assert healer.fleet.done == ["start web r1"]


def test_what_dies_at_its_start_again_and_again_is_started_ever_later(healer: Watched) -> None:
    del healer.fleet.units["web-2"]
    for _ in range(60):
        healer.rounds()
        for name in [u.name for u in healer.fleet.units.values() if u.state is STARTING]:
            del healer.fleet.units[name]
    assert 4 <= len(healer.fleet.done) <= 12


def test_a_platform_that_heals_itself_is_not_helped(healer: Watched) -> None:
    healer.fleet.heals_itself = True
    healer.fleet.units.pop("web-2")
    healer.rounds(5)
    assert healer.fleet.done == []


def test_every_act_is_a_line_and_in_the_log(healer: Watched) -> None:
    del healer.fleet.units["web-2"]
    healer.rounds()
    (line,) = healer.said
    assert line.endswith("start web-5 (release r1): 2 of 3 web are left")
    assert (healer.fleet.folder / LOG_NAME).read_text() == f"{line}\n"


# --- what hangs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def hanging(fleet: MemoryFleet) -> Iterator[tuple[Watched, TellingInstance]]:
    """A healer, and the server behind web-2 by which /livez can be made to fail."""
    server = TellingInstance()
    try:
        fleet.units["web-2"] = replace(fleet.units["web-2"], address=server.address, release="r0")
        watched = Watched(fleet, None)
        watched.rounds(2)
        yield watched, server
    finally:
        server.server.shutdown()


def test_an_instance_that_does_not_live_is_killed_the_third_time(hanging) -> None:
    healer, server = hanging
    server.status = 500
    healer.rounds(2)
    assert healer.fleet.done == []
    healer.rounds()
    assert healer.fleet.done == ["kill web-2", "start web r0"]
    assert "/livez failed 3 times in a row" in healer.said[0]


def test_three_failures_that_are_not_in_a_row_are_forgiven(hanging) -> None:
    healer, server = hanging
    for status in (500, 500, 200) * 3:
        server.status = status
        healer.rounds()
    assert healer.fleet.done == []


def test_an_instance_that_never_lived_yet_is_waited_for(fleet: MemoryFleet) -> None:
    fleet.units["web-2"] = replace(fleet.units["web-2"], state=STARTING, address=f"127.0.0.1:{free_port()}")
    healer = Watched(fleet, None)
    healer.rounds(10)
    assert fleet.done == []


def test_a_new_process_under_the_same_name_is_a_new_start(hanging) -> None:
    healer, server = hanging
    server.status = 500
    healer.rounds(2)
    healer.fleet.units["web-2"] = replace(healer.fleet.units["web-2"], pid=999, state=STARTING)
    healer.rounds(10)
    assert healer.fleet.done == []


def test_one_that_drains_is_not_asked(hanging) -> None:
    healer, server = hanging
    server.status = 500
    healer.fleet.units["web-2"] = replace(healer.fleet.units["web-2"], state=DRAINING)
    healer.rounds(10)
    assert healer.fleet.done == []


# --- size ------------------------------------------------------------------------------------------------------------


def test_a_flood_is_seen_within_five_samples(scaler: Watched) -> None:
    scaler.fleet.load(90)
    assert scaler.rounds_until("start web") <= 5
    assert scaler.fleet.sizes["web"] == len(scaler.fleet.names())


def test_a_flood_makes_it_grow_to_the_most_and_no_further(scaler: Watched) -> None:
    scaler.fleet.load(300)
    for _ in range(30):
        scaler.rounds()
        scaler.fleet.all_become(READY, STARTING)
        scaler.fleet.load(300)
    assert len(scaler.fleet.names()) == scaler.fleet.sizes["web"] == 8


def test_one_that_dies_in_a_flood_is_replaced(scaler: Watched) -> None:
    scaler.fleet.load(300)
    scaler.rounds(10)
    del scaler.fleet.units[scaler.fleet.names()[0]]
    scaler.rounds(10)
    assert len(scaler.fleet.names()) == 8


def test_an_idle_fleet_shrinks_after_two_minutes_to_the_least(scaler: Watched) -> None:
    scaler.fleet.load(0)
    assert scaler.rounds_until("stop") > 115
    scaler.rounds(300)
    assert len(scaler.fleet.names()) == scaler.fleet.sizes["web"] == 2


def test_the_youngest_is_let_go_of(scaler: Watched) -> None:
    scaler.fleet.load(0)
    scaler.rounds(300)
    assert scaler.fleet.done == ["stop web-3"]


def test_ready_ones_go_by_age_and_those_of_unknown_age_last() -> None:
    def unit(name: str, state: InstanceState, age: float | None) -> Seen:
        return Seen(name, "web", 1, None, "r", state, age_seconds=age)

    units = [unit("s", STARTING, 1), unit("old", READY, 90), unit("new", READY, 9), unit("?", READY, None)]
    assert youngest_first(units) == ["new", "old", "?", "s"]


def test_fewer_than_the_least_are_filled_up(tmp_path: Path) -> None:
    fleet = MemoryFleet(tmp_path, 1)
    Watched(fleet, Policy(3, 8)).rounds()
    assert fleet.done == ["start web r1"] * 2
    assert fleet.sizes == {"web": 3}


def test_the_reason_for_a_start_has_the_figures(scaler: Watched) -> None:
    scaler.fleet.load(90)
    scaler.rounds_until("start web")
    assert "web 3 -> 6: " in scaler.said[0]
    assert "of the threads are needed, the target is 60%" in scaler.said[0]


def test_a_start_that_fails_leaves_the_size_that_was_reached(scaler: Watched, monkeypatch) -> None:
    started = scaler.fleet.start

    def start(kind: str, release: str) -> str:
        if scaler.fleet.done:
            raise ReleaseError("no such image")
        return started(kind, release)

    monkeypatch.setattr(scaler.fleet, "start", start)
    scaler.fleet.load(90)
    scaler.rounds_until("start web")
    assert scaler.fleet.sizes == {"web": 4}
    assert "no such image" in scaler.said[-1]


def test_a_platform_that_heals_itself_is_scaled_too(scaler: Watched) -> None:
    scaler.fleet.heals_itself = True
    scaler.fleet.load(90)
    assert scaler.rounds_until("start web") <= 5


# --- others, and what goes wrong -------------------------------------------------------------------------------------


def test_nothing_is_done_while_somebody_else_changes_the_fleet(healer: Watched) -> None:
    healer.fleet.holder = "spillway scale"
    del healer.fleet.units["web-2"]
    healer.rounds(10)
    assert healer.fleet.done == []
    assert [line.partition(" waiting: ")[2] for line in healer.said] == ["spillway scale changes the fleet"]
    healer.fleet.holder = ""
    healer.rounds()
    assert healer.fleet.done == ["start web r1"]


def test_nothing_is_done_while_a_rollout_is_unfinished(healer: Watched) -> None:
    (healer.fleet.folder / ROLLOUT_NAME).write_text("{}")
    healer.rounds()
    del healer.fleet.units["web-2"]
    healer.rounds(10)
    assert healer.fleet.done == []
    assert len(healer.said) == 1
    assert "rollout" in healer.said[0]


def test_after_a_rollout_what_it_left_is_what_is_wanted(healer: Watched) -> None:
    rollout = healer.fleet.folder / ROLLOUT_NAME
    rollout.write_text("{}")
    healer.fleet.add("web", READY)
    healer.rounds(2)
    del healer.fleet.units["web-1"]
    del healer.fleet.units["web-2"]
    healer.rounds(2)
    rollout.unlink()
    healer.rounds(5)
    assert healer.fleet.done == []
    del healer.fleet.units["web-3"]
    healer.rounds()
    assert healer.fleet.done == ["start web r1"]


def test_a_rollout_that_begins_after_the_look_is_seen(healer: Watched, monkeypatch) -> None:
    alone = healer.fleet.alone

    @contextmanager
    def alone_after_a_rollout_began(what: str) -> Iterator[None]:
        (healer.fleet.folder / ROLLOUT_NAME).write_text("{}")
        with alone(what):
            yield

    monkeypatch.setattr(healer.fleet, "alone", alone_after_a_rollout_began)
    del healer.fleet.units["web-2"]
    healer.rounds()
    assert healer.fleet.done == []


@pytest.mark.parametrize("error", [FleetError("the engine is away"), OSError("the engine is away")])
def test_what_goes_wrong_is_told_once_and_tried_again(healer: Watched, error: Exception) -> None:
    healer.fleet.broken = error
    healer.rounds(5)
    assert len(healer.said) == 1
    assert "the engine is away" in healer.said[0]
    healer.fleet.broken = None
    del healer.fleet.units["web-2"]
    healer.rounds()
    assert healer.fleet.done == ["start web r1"]


def test_a_fleet_that_was_stopped_and_comes_back_smaller_stays_so(healer: Watched) -> None:
    healer.fleet.broken = NotRunningError("nothing runs")
    healer.rounds(3)
    healer.fleet.broken = None
    del healer.fleet.units["web-2"]
    healer.rounds(3)
    assert healer.fleet.done == []


@pytest.mark.parametrize("phase", ["stopping", "stopped", "failed"])
def test_a_fleet_that_is_being_stopped_is_left_alone(healer: Watched, phase: str) -> None:
    healer.fleet.phase = phase
    healer.fleet.units.clear()
    healer.rounds(3)
    assert healer.fleet.done == []


def test_a_fleet_that_is_being_started_is_not_filled_up(tmp_path: Path) -> None:
    fleet = MemoryFleet(tmp_path, 0)
    fleet.phase = "starting"
    fleet.add("web", STARTING)
    Watched(fleet, Policy(3, 8)).rounds(3)
    assert fleet.done == []


def test_a_log_that_cannot_be_written_stops_nothing(healer: Watched) -> None:
    (healer.fleet.folder / LOG_NAME).mkdir()
    del healer.fleet.units["web-2"]
    healer.rounds()
    assert healer.fleet.done == ["start web r1"]
    assert "cannot be written" in healer.said[1]


def test_it_sleeps_what_is_left_of_a_second_and_ends_when_told(fleet: MemoryFleet) -> None:
    slept: list[float] = []
    times = iter([0.0, *[0.25] * 20])

    def sleep(seconds: float) -> bool:
        slept.append(seconds)
        return True

    Agent(fleet, None, lambda line: None, lambda: next(times), sleep).run()
    assert slept == [0.75]
