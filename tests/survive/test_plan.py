"""Chance, but within bounds: sizes, who sends, and whom a strike may hit."""

from random import Random

import pytest

from apps.lifecycle.vocabulary import InstanceState
from tests.survive.plan import FREEZE_SECONDS, MIB, Client, Kind, Strike, Victim, next_strike, uploads

READY, STARTING, DRAINING = InstanceState.READY, InstanceState.STARTING, InstanceState.DRAINING
SEEDS = range(300)


def strikes(*victims: Victim) -> list[Strike | None]:
    """What many kinds of chance make of the same site."""
    return [next_strike(Random(seed), victims) for seed in SEEDS]


def test_one_seed_always_plans_the_same_uploads() -> None:
    first, second = (uploads(Random(7), count=50, most_bytes=64 * MIB) for _ in range(2))
    assert first == second
    assert first != uploads(Random(8), count=50, most_bytes=64 * MIB)


def test_sizes_go_from_one_byte_to_the_largest_and_as_many_are_small_as_large() -> None:
    sizes = [planned.size_bytes for planned in uploads(Random(1), count=400, most_bytes=64 * MIB)]
    assert (min(sizes), max(sizes)) == (1, 64 * MIB)
    small = sum(size < 8192 for size in sizes)
    # 8192 is the middle of the logarithms.
    assert 150 < small < 250


def test_names_are_unique_and_every_client_has_its_share() -> None:
    planned = uploads(Random(1), count=30, most_bytes=MIB)
    assert len({one.name for one in planned}) == 30
    assert [sum(one.client is client for one in planned) for client in Client] == [10, 10, 10]


def test_among_several_that_are_ready_any_is_struck_in_any_way() -> None:
    found = [
        strike for strike in strikes(Victim("a", READY), Victim("b", READY), Victim("c", STARTING)) if strike
    ]
    assert len(found) == len(SEEDS)
    assert {strike.name for strike in found} == {"a", "b"}
    assert {strike.kind for strike in found} == set(Kind)


def test_who_is_frozen_goes_on_after_a_few_seconds() -> None:
    found = strikes(Victim("a", READY), Victim("b", READY))
    frozen = [strike.seconds for strike in found if strike and strike.kind is Kind.FREEZE]
    assert frozen
    assert FREEZE_SECONDS[0] <= min(frozen) <= max(frozen) <= FREEZE_SECONDS[1]
    assert {strike.seconds for strike in found if strike and strike.kind is not Kind.FREEZE} == {0.0}


@pytest.mark.parametrize("down", [Victim("b", DRAINING), Victim("b", READY, frozen=True)])
def test_beside_the_last_that_is_ready_those_that_serve_no_more_are_killed(down: Victim) -> None:
    assert set(strikes(Victim("a", READY), down)) == {Strike(Kind.KILL, "b")}


def test_the_last_that_is_ready_is_mostly_spared_and_sometimes_killed() -> None:
    found = strikes(Victim("a", READY), Victim("b", STARTING))
    assert set(found) == {None, Strike(Kind.KILL, "a")}
    assert found.count(None) > len(SEEDS) / 2


def test_those_that_only_start_are_left_alone() -> None:
    assert set(strikes(Victim("a", STARTING), Victim("b", STARTING))) == {None}
