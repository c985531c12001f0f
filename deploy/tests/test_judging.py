"""Whether a new release is worse, as tables."""

import pytest

from deploy.fleet.judging import Tally, tally_between, worse
from deploy.fleet.ports import Report

GOOD = Tally(requests=1000)


def failing(failures: int, requests: int) -> Tally:
    return Tally(requests=requests, failures=failures)


def reading(reads: int, mean_seconds: float) -> Tally:
    return Tally(requests=reads, reads=reads, read_seconds=reads * mean_seconds)


ERRORS: list[tuple[str, Tally, Tally, bool]] = [
    ("nothing is known of either", Tally(), Tally(), False),
    ("nothing fails", GOOD, GOOD, False),
    ("both fail the same", failing(50, 1000), failing(50, 1000), False),
    ("the new one fails, the old one does not", failing(50, 1000), GOOD, True),
    ("five failures that are a small share", failing(5, 1000), GOOD, False),
    ("five failures just at two points more", failing(5, 250), GOOD, False),
    ("five failures just above two points more", failing(5, 249), GOOD, True),
    ("four failures are not enough", failing(4, 100), GOOD, False),
    ("three times the share of the old one is tolerated", failing(60, 1000), failing(20, 1000), False),
    ("more than that is not", failing(61, 1000), failing(20, 1000), True),
    ("two points are needed too", failing(9, 1000), failing(1, 1000), False),
    ("two failures of few requests", failing(2, 2), GOOD, False),
    ("three failures of few requests", failing(3, 10), GOOD, True),
    ("three failures that are just a fifth", failing(3, 15), GOOD, False),
    ("three failures of few while the old one fails as often", failing(3, 10), failing(30, 100), False),
    ("nobody asked the old one", failing(10, 100), Tally(), True),
    ("everything fails while the old one fails two in five", failing(100, 100), failing(40, 100), True),
    ("both fail everything", failing(100, 100), failing(100, 100), False),
    ("the old one is worse", failing(10, 1000), failing(100, 1000), False),
]


@pytest.mark.parametrize(
    ("new", "old", "is_worse"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS]
)
def test_the_share_of_failures(new: Tally, old: Tally, is_worse: bool) -> None:
    assert bool(worse(new, old)) is is_worse


LATENCIES: list[tuple[str, Tally, Tally, bool]] = [
    ("as fast", reading(100, 0.02), reading(100, 0.02), False),
    ("twice as slow and 40 ms more", reading(100, 0.08), reading(100, 0.02), False),
    ("twice as slow and 60 ms more", reading(100, 0.10), reading(100, 0.02), True),
    ("slow reads may take twice as long", reading(100, 1.0), reading(100, 0.5), False),
    ("and hardly more", reading(100, 1.1), reading(100, 0.5), True),
    ("29 reads of the new one say nothing", reading(29, 9.0), reading(100, 0.02), False),
    ("29 reads of the old one say nothing", reading(100, 9.0), reading(29, 0.02), False),
    ("30 do", reading(30, 9.0), reading(30, 0.02), True),
    ("faster", reading(100, 0.01), reading(100, 0.5), False),
]


@pytest.mark.parametrize(
    ("new", "old", "is_worse"), [row[1:] for row in LATENCIES], ids=[row[0] for row in LATENCIES]
)
def test_how_long_reads_take(new: Tally, old: Tally, is_worse: bool) -> None:
    assert bool(worse(new, old, with_latency=True)) is is_worse


def test_how_long_reads_take_is_only_asked_for_a_canary() -> None:
    assert worse(reading(100, 9.0), reading(100, 0.02)) == ""


def test_the_reason_for_failures_has_the_figures() -> None:
    assert worse(failing(50, 1000), failing(2, 1000)) == (
        "50 of 1000 requests (5.0%) failed on the new release, 2 of 1000 requests (0.2%) on the old one"
    )


def test_the_reason_for_slowness_has_the_figures() -> None:
    assert worse(reading(40, 0.2), reading(50, 0.02), with_latency=True) == (
        "a read takes 200 ms (mean of 40) on the new release, 20 ms (mean of 50) on the old one"
    )


def test_what_was_done_between_two_reports_is_the_difference() -> None:
    before = Report(
        uptime_seconds=10, requests_total=100, failures_total=1, reads_total=80, read_seconds_total=2.0
    )
    after = Report(
        uptime_seconds=15, requests_total=150, failures_total=3, reads_total=120, read_seconds_total=3.5
    )
    assert tally_between(before, after) == Tally(50, 2, 40, 1.5)


@pytest.mark.parametrize(("uptime", "requests"), [(2.0, 150), (15.0, 7)])
def test_an_instance_that_was_started_again_counts_from_nothing(uptime: float, requests: int) -> None:
    before = Report(
        uptime_seconds=10, requests_total=100, failures_total=9, reads_total=80, read_seconds_total=2.0
    )
    after = Report(
        uptime_seconds=uptime,
        requests_total=requests,
        failures_total=1,
        reads_total=3,
        read_seconds_total=0.5,
    )
    assert tally_between(before, after) == Tally(requests, 1, 3, 0.5)


def test_tallies_of_several_instances_add_up() -> None:
    assert sum([Tally(1, 2, 3, 4.0), Tally(10, 20, 30, 40.0)], Tally()) == Tally(11, 22, 33, 44.0)
