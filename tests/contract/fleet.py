"""The contract of deploy.fleet.ports.Fleet as tests; run by whoever inherits from FleetContract."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.errors import BusyError, ReleaseError
from deploy.fleet.ports import Fleet, Seen

KINDS = ("web", "worker", "beat")
DRAINING, READY = InstanceState.DRAINING, InstanceState.READY


class FleetContract:
    """Needs a fixture `fleet`: a Fleet that runs web instances, a worker and a beat. Each test leaves it as found."""

    limit_seconds = 90.0
    # Between two looks.
    every_seconds = 0.3

    # --- looking ---------------------------------------------------------------------------------------------

    def unit(self, fleet: Fleet, name: str) -> Seen | None:
        return next((unit for unit in fleet.look().units if unit.name == name), None)

    def until(self, fleet: Fleet, name: str, question: Callable[[Seen | None], object], what: str) -> None:
        until = time.monotonic() + self.limit_seconds
        while not question(unit := self.unit(fleet, name)):
            assert time.monotonic() < until, f"{name} {what}: not within {self.limit_seconds} s, it is {unit}"
            time.sleep(self.every_seconds)

    def until_it_serves(self, fleet: Fleet, name: str) -> None:
        self.until(fleet, name, serves, "serves")

    def until_it_is_gone(self, fleet: Fleet, name: str) -> None:
        self.until(fleet, name, lambda unit: unit is None, "is gone")

    @contextmanager
    def one_more(self, fleet: Fleet, kind: str) -> Iterator[str]:
        """One more unit of the current release for as long as the block takes."""
        name = fleet.start(kind, fleet.current())
        try:
            yield name
        finally:
            fleet.kill(name)
            self.until_it_is_gone(fleet, name)

    def counts(self, fleet: Fleet) -> Counter[str]:
        return Counter(unit.kind for unit in fleet.look().units if unit.kind in KINDS)

    # --- the contract ----------------------------------------------------------------------------------------

    def test_a_look_lists_every_kind_with_its_release(self, fleet: Fleet) -> None:
        seen = fleet.look()
        assert seen.release == fleet.current()
        assert seen.running
        for kind in KINDS:
            releases = {unit.release for unit in seen.units if unit.kind == kind}
            assert releases == {fleet.current()}, kind
        names = [unit.name for unit in seen.units]
        assert len(names) == len(set(names))

    def test_instances_that_are_ready_have_a_report_and_are_routed(self, fleet: Fleet) -> None:
        instances = fleet.look().instances
        assert {unit.state for unit in instances} == {READY}
        assert {unit.routed for unit in instances} == {True}
        for unit in instances:
            assert unit.report is not None
            assert unit.report.ready_seconds > 0
            assert unit.age_seconds is not None

    def test_what_is_started_is_listed_at_once_and_serves_in_the_end(self, fleet: Fleet) -> None:
        before = self.counts(fleet)
        with self.one_more(fleet, "web") as name:
            unit = self.unit(fleet, name)
            assert unit is not None
            assert (unit.kind, unit.release) == ("web", fleet.current())
            assert unit.state in {InstanceState.STARTING, READY}
            self.until_it_serves(fleet, name)
            assert self.counts(fleet) == before + Counter(web=1)
        assert self.counts(fleet) == before

    def test_an_instance_that_is_told_to_stop_drains_until_the_proxy_has_let_it_go(
        self, fleet: Fleet
    ) -> None:
        with self.one_more(fleet, "web") as name:
            self.until_it_serves(fleet, name)
            fleet.stop(name)
            seen: list[Seen] = []

            def is_gone(unit: Seen | None) -> bool:
                seen.extend([unit] if unit else [])
                return unit is None

            self.until(fleet, name, is_gone, "is gone")
        states = [unit.state for unit in seen]
        assert states[-1] is DRAINING
        # It may not have heard yet at the first look; it never becomes anything else again.
        assert set(states[states.index(DRAINING) :]) == {DRAINING}
        assert set(states[: states.index(DRAINING)]) <= {READY}
        assert seen[-1].routed is False

    def test_a_worker_starts_and_stops_likewise(self, fleet: Fleet) -> None:
        before = self.counts(fleet)
        with self.one_more(fleet, "worker") as name:
            self.until_it_serves(fleet, name)
            assert self.counts(fleet) == before + Counter(worker=1)
            fleet.stop(name)
            self.until_it_is_gone(fleet, name)
        assert self.counts(fleet) == before

    def test_there_is_one_beat_however_often_it_is_started(self, fleet: Fleet) -> None:
        name = fleet.start("beat", fleet.current())
        self.until_it_serves(fleet, name)
        assert [unit.name for unit in fleet.look().units if unit.kind == "beat"] == [name]

    def test_what_is_killed_counts_no_longer_and_vanishes(self, fleet: Fleet) -> None:
        before = self.counts(fleet)
        name = fleet.start("web", fleet.current())
        fleet.kill(name)
        unit = self.unit(fleet, name)
        assert unit is None or unit.state is DRAINING
        self.until_it_is_gone(fleet, name)
        assert self.counts(fleet) == before

    def test_to_stop_or_kill_what_is_gone_is_no_error(self, fleet: Fleet) -> None:
        before = {unit.name for unit in fleet.look().units}
        with self.one_more(fleet, "web") as name:
            pass
        fleet.stop(name)
        fleet.kill(name)
        assert {unit.name for unit in fleet.look().units} == before

    def test_the_code_of_the_checkout_can_be_fetched(self, fleet: Fleet) -> None:
        assert fleet.fetch(None)

    def test_what_is_no_release_cannot_be_fetched_and_nothing_changes(self, fleet: Fleet) -> None:
        before, current = fleet.look().units, fleet.current()
        with pytest.raises(ReleaseError):
            fleet.fetch("no-such-release")
        assert fleet.current() == current
        assert {unit.name for unit in fleet.look().units} == {unit.name for unit in before}

    def test_a_release_can_live_with_its_own_migrations_which_are_applied_once(self, fleet: Fleet) -> None:
        assert fleet.refusals(fleet.current()) == []
        fleet.migrate(fleet.current())
        fleet.migrate(fleet.current())
        assert fleet.refusals(fleet.current()) == []

    def test_an_adopted_release_is_the_current_one_and_the_one_before_is_known(self, fleet: Fleet) -> None:
        before, names = fleet.current(), {unit.name for unit in fleet.look().units}
        fleet.adopt("another")
        try:
            assert (fleet.current(), fleet.previous()) == ("another", before)
            fleet.adopt("another")
            assert (fleet.current(), fleet.previous()) == ("another", before)
        finally:
            fleet.adopt(before)
        assert (fleet.current(), fleet.previous()) == (before, "another")
        assert {unit.name for unit in fleet.look().units} == names

    def test_one_at_a_time_changes_a_fleet_and_the_other_is_told_who(self, fleet: Fleet) -> None:
        with fleet.alone("rollout"), pytest.raises(BusyError, match="spillway rollout"), fleet.alone("scale"):
            raise AssertionError("both have it")
        with fleet.alone("scale"):
            pass

    def test_to_remember_a_size_starts_and_stops_nothing(self, fleet: Fleet) -> None:
        before = {unit.name for unit in fleet.look().units}
        for kind in ("web", "worker"):
            fleet.resize(kind, self.counts(fleet)[kind])
        assert {unit.name for unit in fleet.look().units} == before

    def test_it_has_a_folder_to_remember_things_in(self, fleet: Fleet) -> None:
        assert fleet.folder.is_dir()


def serves(unit: Seen | None) -> bool:
    """Ready, and where a proxy is concerned, sent to."""
    return unit is not None and unit.state is READY and unit.routed is not False
