"""The checking threads: what hangs or breaks is seen, and holds up nothing else."""

import asyncio
import threading
import time

import pytest
from django.db import Error, connections
from health_check.base import HealthCheck
from health_check.checks import Database
from health_check.exceptions import ServiceUnavailable

from apps.lifecycle import monitor, status
from apps.lifecycle.checks import UNPOOLED, LaneSpec, Watched
from apps.lifecycle.monitor import DatabaseLane, Lane
from apps.lifecycle.rules import LIMIT_SECONDS, check_verdict
from apps.lifecycle.tests.stage import wait_until
from apps.lifecycle.vocabulary import CheckName


class Check(HealthCheck):
    """A check that does what it is told."""

    def __init__(self, work):
        self.work = work
        self.runs = 0

    def run(self):
        self.runs += 1
        self.work()


class SlowToAnswer(HealthCheck):
    async def run(self):
        await asyncio.sleep(30)


@pytest.fixture
def start_lane():
    """Run lanes in threads as the monitor does, until the test ends."""
    threads = []

    def start(name, check, period=0.05):
        spec = LaneSpec(name.value, (Watched(name, check),), period)
        threads.append(threading.Thread(target=Lane(spec).run, daemon=True))
        threads[-1].start()

    yield start
    monitor.stop()
    for thread in threads:
        thread.join(5)
    monitor._stopped.clear()


def _verdict(board, name):
    (slot,) = board.slots()
    return check_verdict(
        slot.checks_seen()[name], now=time.monotonic(), period_seconds=0.05, limit_seconds=0.3
    )


def test_a_hanging_check_fails_once_its_limit_is_over_and_the_others_go_on(board, start_lane):
    release = threading.Event()
    hanging, quick = Check(release.wait), Check(lambda: None)
    start_lane(CheckName.STORAGE, hanging)
    start_lane(CheckName.REDIS, quick)
    wait_until(lambda: _verdict(board, CheckName.STORAGE).startswith("no answer"), 2, "the hang is seen")
    runs = quick.runs
    wait_until(lambda: quick.runs > runs + 3, 2, "the other lane goes on")
    assert _verdict(board, CheckName.REDIS) == "ok"
    assert hanging.runs == 1
    release.set()
    wait_until(lambda: _verdict(board, CheckName.STORAGE) == "ok", 2, "it recovers")


def test_an_asynchronous_check_that_hangs_is_cut_off(board):
    lane = Lane(LaneSpec("redis", (), 1))
    began = time.monotonic()
    assert lane.ask(Watched(CheckName.REDIS, SlowToAnswer(), "cannot be reached")) == "cannot be reached"
    assert time.monotonic() - began < LIMIT_SECONDS + 2


def _fail():
    raise ServiceUnavailable("connection to db.internal as admin failed")


def _break():
    raise ZeroDivisionError("secret")


def test_a_reason_of_ours_replaces_what_a_driver_says(board):
    lane = Lane(LaneSpec("x", (), 1))
    assert lane.ask(Watched(CheckName.DATABASE, Check(_fail), "cannot be reached")) == "cannot be reached"


def test_a_check_with_a_bug_is_a_failed_check_that_tells_nothing(board):
    lane = Lane(LaneSpec("x", (), 1))
    assert lane.ask(Watched(CheckName.STORAGE, Check(_break))) == "the check itself failed"


def test_a_failed_check_does_not_keep_the_next_one_of_its_lane_from_running(board):
    later = Check(lambda: None)
    watched = (Watched(CheckName.DATABASE, Check(_fail), "no"), Watched(CheckName.MIGRATIONS, later))
    assert Lane(LaneSpec("x", watched, 1)).round() is False
    assert later.runs == 1
    assert status.worker_verdicts(next(board.slots()), time.monotonic())["migrations"] == "ok"


class Look:
    """What a lane looks at beside its checks: goes wrong the first time, and swallows that as looks do."""

    def __init__(self, sql):
        self.left, self.failed = [sql], 0

    def __call__(self):
        try:
            with connections[UNPOOLED].cursor() as cursor:
                cursor.execute(self.left.pop() if self.left else "SELECT 1")
        except Error:
            self.failed += 1


@pytest.fixture
def lane_with():
    """A database lane on a connection of its own, with something to look at."""

    def make(look):
        watched = (Watched(CheckName.DATABASE, Database(alias=UNPOOLED), "cannot be reached"),)
        return DatabaseLane(LaneSpec("database", watched, 1, on_database=True, afterwards=look))

    yield make
    connections[UNPOOLED].close()
    del connections[UNPOOLED]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "sql",
    [
        "SET statement_timeout = 0; SELECT pg_sleep(6)",
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "SELECT 1/0",
    ],
    ids=["hangs", "loses its connection", "fails"],
)
def test_a_look_that_goes_wrong_is_no_failure_of_the_database(board, lane_with, sql):
    look = Look(sql)
    lane = lane_with(look)
    assert (lane.round(), lane.round()) == (True, True)
    assert look.failed == 1
    assert status.worker_verdicts(next(board.slots()), time.monotonic())["database"] == "ok"
