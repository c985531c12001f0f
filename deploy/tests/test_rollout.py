"""Rollouts on a fleet in memory: what happens in which order, and what is left after every kind of failure."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.fleet.errors import (
    BusyError,
    FleetError,
    InterruptedRolloutError,
    ReleaseError,
    RolloutFailedError,
)
from deploy.fleet.plan import Canary
from deploy.fleet.rollout import Wish, plan_lines, rollback, rollout, scale, unfinished
from deploy.tests.fleet_in_memory import Behaviour, FleetInMemory


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.fleet.rolling.LOOK_SECONDS", 0.0)


@pytest.fixture
def fleet(tmp_path: Path) -> FleetInMemory:
    made = FleetInMemory.of(tmp_path)
    made.releases["b"] = Behaviour()
    return made


class Heard(list[str]):
    def __call__(self, line: str) -> None:
        self.append(line)

    @property
    def text(self) -> str:
        return "\n".join(self)


# --- when all is well --------------------------------------------------------------------------------------------


def test_every_unit_is_exchanged_and_never_fewer_serve(fleet: FleetInMemory) -> None:
    said = rollout(fleet, Wish("b"), Heard())
    assert fleet.running("web") == ["b"] * 3
    assert fleet.running("worker") == ["b"]
    assert fleet.running("beat") == ["b"]
    assert fleet.fewest_ready == 3
    assert fleet.most_at_once == 4
    assert said.startswith("b is rolled out in ")
    assert said.endswith("0 of them with an error.")


def test_the_release_becomes_the_fleets_and_the_old_one_the_one_before(fleet: FleetInMemory) -> None:
    rollout(fleet, Wish("b"), Heard())
    assert (fleet.current(), fleet.previous()) == ("b", "a")
    assert unfinished(fleet) == {}


def test_the_database_is_migrated_once_before_anything_starts(fleet: FleetInMemory) -> None:
    heard = Heard()
    rollout(fleet, Wish("b"), heard)
    assert fleet.migrated == ["b"]
    assert heard.text.index("migrated") < heard.text.index("starts")


def test_workers_come_after_the_web_and_the_scheduler_last(fleet: FleetInMemory) -> None:
    heard = Heard()
    rollout(fleet, Wish("b"), heard)
    starts = [line.split()[2].partition("-")[0] for line in heard if " starts, " in line]
    assert starts == ["web", "web", "web", "worker", "beat"]


def test_every_step_is_kept_in_a_log(fleet: FleetInMemory) -> None:
    heard = Heard()
    rollout(fleet, Wish("b"), heard)
    kept = (fleet.folder / "rollouts.log").read_text().splitlines()
    assert len(kept) == len(heard)
    assert kept[-1].endswith("with an error.")


def test_a_batch_exchanges_several_at_once(fleet: FleetInMemory) -> None:
    rollout(fleet, Wish("b", batch=3), Heard())
    assert fleet.most_at_once == 6
    assert fleet.fewest_ready == 3
    assert fleet.running() == ["b"] * 3


@settings(max_examples=60, deadline=None)
@given(web=st.integers(1, 8), workers=st.integers(0, 4), batch=st.integers(1, 9))
def test_whatever_the_size_it_ends_with_the_same_size_of_the_new(
    tmp_path_factory: pytest.TempPathFactory, web: int, workers: int, batch: int
) -> None:
    fleet = FleetInMemory.of(tmp_path_factory.mktemp("fleet"), web=web, workers=workers)
    fleet.releases["b"] = Behaviour()
    rollout(fleet, Wish("b", batch=batch), Heard())
    assert fleet.running() == ["b"] * web
    assert fleet.running("worker") == ["b"] * workers
    assert fleet.fewest_ready == web


def test_rolling_out_what_runs_already_does_nothing(fleet: FleetInMemory) -> None:
    before = dict(fleet.units)
    rollout(fleet, Wish("a"), Heard())
    assert set(fleet.units) == set(before)


def test_a_dry_run_says_what_would_be_done_and_does_nothing(fleet: FleetInMemory) -> None:
    before = dict(fleet.units)
    lines = plan_lines(fleet, Wish("b"))
    assert lines[0] == "from a to b, 3 instances, 1 workers"
    assert sum("then drain web-" in line for line in lines) == 3
    assert set(fleet.units) == set(before)
    assert fleet.migrated == []


# --- when the release is bad -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (Behaviour(gets_ready=False), "web-6 is starting 30 s after its start"),
        (Behaviour(crashes=True), "web-6 ends again and again"),
        (Behaviour(is_routed=False), "the proxy does not send to web-6"),
        (Behaviour(failure_share=0.5), "failed on the new release"),
    ],
)
def test_a_bad_release_is_removed_and_the_old_ones_were_never_touched(
    fleet: FleetInMemory, behaviour: Behaviour, reason: str
) -> None:
    fleet.releases["b"] = behaviour
    before = {name for name in fleet.units if name.startswith("web")}
    with pytest.raises(RolloutFailedError) as told:
        rollout(fleet, Wish("b", ready_seconds=30), Heard())
    assert reason in str(told.value)
    assert str(told.value).endswith("The fleet runs a.")
    assert {name for name in fleet.units if name.startswith("web")} == before
    assert fleet.fewest_ready == 3
    assert fleet.current() == "a"
    assert unfinished(fleet) == {}


def test_a_release_that_goes_bad_halfway_is_taken_back_whole(fleet: FleetInMemory) -> None:
    heard = Heard()

    def say(line: str) -> None:
        heard(line)
        if "web-6 starts" in line:
            return
        if line.count(" starts, release b") and "web-" in line:
            fleet.releases["b"] = Behaviour(failure_share=0.9)

    with pytest.raises(RolloutFailedError):
        rollout(fleet, Wish("b"), say)
    assert fleet.running() == ["a"] * 3
    assert fleet.fewest_ready >= 3


def test_workers_that_do_not_start_take_the_whole_release_back(fleet: FleetInMemory) -> None:
    def say(line: str) -> None:
        if "now the fleet's release" in line:
            fleet.releases["b"] = Behaviour(gets_ready=False)

    with pytest.raises(RolloutFailedError):
        rollout(fleet, Wish("b", ready_seconds=10), say)
    assert fleet.running() == ["a"] * 3
    assert fleet.running("worker") == ["a"]
    assert fleet.current() == "a"


def test_migrations_that_the_old_release_cannot_live_with_are_refused(fleet: FleetInMemory) -> None:
    fleet.refused["b"] = ["transfers.0003_x: a column is dropped"]
    heard = Heard()
    with pytest.raises(ReleaseError, match="--allow-downtime"):
        rollout(fleet, Wish("b"), heard)
    assert "refused: transfers.0003_x: a column is dropped" in heard.text
    assert fleet.migrated == []
    assert fleet.running() == ["a"] * 3


def test_they_are_accepted_by_those_who_say_so(fleet: FleetInMemory) -> None:
    fleet.refused["b"] = ["transfers.0003_x: a column is dropped"]
    rollout(fleet, Wish("b", allow_downtime=True), Heard())
    assert fleet.migrated == ["b"]
    assert fleet.running() == ["b"] * 3


def test_a_release_that_is_not_there_changes_nothing(fleet: FleetInMemory) -> None:
    with pytest.raises(ReleaseError):
        rollout(fleet, Wish("nowhere"), Heard())
    assert fleet.running() == ["a"] * 3


# --- a canary ----------------------------------------------------------------------------------------------------


def test_a_canary_is_watched_beside_all_the_old_ones(fleet: FleetInMemory) -> None:
    heard = Heard()
    rollout(fleet, Wish("b", canary=Canary(34, 5.0)), heard)
    watching = next(n for n, line in enumerate(heard) if "watching the canary" in line)
    assert sum("starts" in line for line in heard[:watching]) == 1
    assert not any("told to stop" in line for line in heard[:watching])
    assert fleet.running() == ["b"] * 3


def test_a_canary_that_fails_more_ends_the_rollout_by_itself(fleet: FleetInMemory) -> None:
    fleet.releases["b"] = Behaviour(failure_share=0.3)
    with pytest.raises(RolloutFailedError, match="failed on the new release"):
        rollout(fleet, Wish("b", canary=Canary(10, 60.0)), Heard())
    assert fleet.running() == ["a"] * 3


def test_a_canary_that_fails_as_much_as_the_old_ones_goes_on(fleet: FleetInMemory) -> None:
    fleet.releases["a"] = fleet.releases["b"] = Behaviour(failure_share=0.05)
    rollout(fleet, Wish("b", canary=Canary(50, 10.0)), Heard())
    assert fleet.running() == ["b"] * 3


# --- when somebody or something comes in between -----------------------------------------------------------------


@pytest.mark.parametrize("ticks", range(0, 60, 4))
def test_a_rollout_that_was_killed_anywhere_is_gone_on_with_by_the_same_command(
    fleet: FleetInMemory, ticks: int
) -> None:
    class KilledError(BaseException):
        pass

    fleet.interruption, fleet.ticks_until_interruption = KilledError(), ticks
    try:
        rollout(fleet, Wish("b"), Heard())
    except KilledError:
        rollout(fleet, Wish("b"), Heard())
    assert fleet.running() == ["b"] * 3
    assert fleet.running("worker") == ["b"]
    assert fleet.fewest_ready == 3
    assert (fleet.current(), fleet.previous()) == ("b", "a")


@pytest.mark.parametrize("ticks", range(4, 60, 4))
def test_a_rollout_that_was_interrupted_anywhere_can_be_rolled_back(fleet: FleetInMemory, ticks: int) -> None:
    fleet.interruption, fleet.ticks_until_interruption = KeyboardInterrupt(), ticks
    try:
        rollout(fleet, Wish("b"), Heard())
    except InterruptedRolloutError:
        assert unfinished(fleet)["release"] == "b"
    fleet.interruption = None  # it may have been over before
    rollback(fleet, Wish(), Heard())
    assert fleet.running() == ["a"] * 3
    assert fleet.running("worker") == ["a"]
    assert fleet.fewest_ready == 3
    assert unfinished(fleet) == {}


@pytest.mark.parametrize("ticks", range(4, 40, 6))
def test_a_rollback_that_was_interrupted_is_gone_on_with_by_the_same_command(
    fleet: FleetInMemory, ticks: int
) -> None:
    rollout(fleet, Wish("b"), Heard())
    fleet.interruption, fleet.ticks_until_interruption = KeyboardInterrupt(), ticks
    with pytest.raises(InterruptedRolloutError):
        rollback(fleet, Wish(), Heard())
    rollback(fleet, Wish(), Heard())
    assert fleet.running() == ["a"] * 3
    assert fleet.running("worker") == ["a"]
    assert unfinished(fleet) == {}


def test_an_instance_that_is_killed_meanwhile_is_no_fault_of_the_release(fleet: FleetInMemory) -> None:
    killed: list[str] = []

    def say(line: str) -> None:
        if "is told to stop" in line and not killed:
            killed.append(next(name for name, unit in fleet.units.items() if unit.release == "b"))
            fleet.kill(killed[0])

    rollout(fleet, Wish("b"), say)
    assert killed
    assert fleet.running() == ["b"] * 3


def test_only_one_at_a_time_may_change_a_fleet(fleet: FleetInMemory) -> None:
    with fleet.alone("scale"), pytest.raises(BusyError, match="`spillway scale`"):
        rollout(fleet, Wish("b"), Heard())


# --- back --------------------------------------------------------------------------------------------------------


def test_a_rollback_takes_the_same_steps_without_migrations(fleet: FleetInMemory) -> None:
    rollout(fleet, Wish("b"), Heard())
    rollback(fleet, Wish(), Heard())
    assert fleet.running() == ["a"] * 3
    assert fleet.migrated == ["b"]
    assert (fleet.current(), fleet.previous()) == ("a", "b")
    assert fleet.fewest_ready == 3


def test_without_a_release_before_there_is_nothing_to_go_back_to(fleet: FleetInMemory) -> None:
    with pytest.raises(ReleaseError, match="no release to go back to"):
        rollback(fleet, Wish(), Heard())


# --- size --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("web", "workers"), [(5, 2), (1, 0), (3, 1)])
def test_a_fleet_gets_the_size_that_was_asked_for(fleet: FleetInMemory, web: int, workers: int) -> None:
    said = scale(fleet, {"web": web, "worker": workers}, Heard())
    assert fleet.running() == ["a"] * web
    assert fleet.running("worker") == ["a"] * workers
    assert fleet.sizes == {"web": web, "worker": workers}
    assert fleet.fewest_ready >= min(web, 3)
    assert said.startswith(f"{web} instance")


def test_what_is_not_named_keeps_its_size(fleet: FleetInMemory) -> None:
    scale(fleet, {"web": 4}, Heard())
    assert fleet.running("worker") == ["a"]
    assert fleet.sizes == {"web": 4}


def test_in_the_middle_of_a_rollout_the_size_is_not_changed(fleet: FleetInMemory) -> None:
    fleet.interruption, fleet.ticks_until_interruption = KeyboardInterrupt(), 9
    with pytest.raises(InterruptedRolloutError):
        rollout(fleet, Wish("b"), Heard())
    with pytest.raises(FleetError, match="unfinished"):
        scale(fleet, {"web": 5}, Heard())


def test_instances_that_do_not_start_are_told_of(fleet: FleetInMemory) -> None:
    fleet.releases["a"] = Behaviour(gets_ready=False)
    with pytest.raises(RolloutFailedError, match="did not get its new size"):
        scale(fleet, {"web": 4}, Heard(), ready_seconds=5)
