"""What /statusz counts: answers by their fate, reads and their time, over threads and over workers that end."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import Client

from apps.lifecycle import scoreboard, tally
from apps.lifecycle.scoreboard import Scoreboard
from apps.lifecycle.tests.stage import Clients, wait_until
from apps.lifecycle.vocabulary import CheckName


def _requests(instance):
    return instance.get("/statusz")[1].get("requests", {})


@pytest.mark.parametrize(
    ("status", "failures"), [(200, 0), (404, 0), (500, 1), (502, 1), (503, 0), (504, 1), (507, 0)]
)
def test_only_answers_that_a_release_is_to_blame_for_are_failures(board, status, failures):
    tally.answered(method="POST", status_code=status, seconds=1.0)
    assert next(board.slots()).failures_total == failures


@pytest.mark.parametrize(("method", "reads"), [("GET", 1), ("HEAD", 0), ("POST", 0), ("PATCH", 0)])
def test_only_gets_are_reads(board, method, reads):
    tally.answered(method=method, status_code=200, seconds=0.25)
    slot = next(board.slots())
    assert (slot.reads_total, slot.read_seconds_total) == (reads, 0.25 * reads)


def test_threads_that_count_at_once_lose_nothing(board):
    def count(_):
        for _ in range(500):
            tally.answered(method="GET", status_code=500, seconds=0.5)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(count, range(16)))
    slot = next(board.slots())
    assert (slot.failures_total, slot.reads_total, slot.read_seconds_total) == (8000, 8000, 4000.0)


def test_outside_an_instance_nothing_is_counted_and_nothing_fails(board):
    scoreboard.install(None)
    tally.answered(method="GET", status_code=500, seconds=1.0)
    assert (board.total("failures_total"), board.total("reads_total")) == (0, 0)


def test_totals_outlive_their_worker_and_what_it_was_at_has_failed():
    board = Scoreboard(workers=1)
    slot = board.attach(board.reserve())
    slot.requests_total, slot.reads_total, slot.read_seconds_total, slot.threads_busy = 10, 6, 1.5, 2
    board.release(0)
    board.release(0)  # told twice, counted once
    board.attach(board.reserve()).requests_total += 1
    fields = ("requests_total", "failures_total", "reads_total", "read_seconds_total")
    assert [board.total(field) for field in fields] == [11, 2, 6, 1.5]


def test_a_worker_that_has_not_looked_yet_knows_no_depth(board):
    assert Client().get("/statusz").json()["queue_depth"] is None


def test_the_age_of_the_checks_is_the_oldest_ones(board):
    assert Client().get("/statusz").json()["check_age_seconds"] is None
    now = time.monotonic()
    next(board.slots()).check_ended(CheckName.REDIS, ok=True, reason="ok", began=now - 60, now=now - 60)
    next(board.slots()).check_ended(CheckName.DATABASE, ok=True, reason="ok", began=now, now=now)
    assert Client().get("/statusz").json()["check_age_seconds"] >= 60


def test_ready_seconds_count_from_the_first_time(board):
    assert Client().get("/statusz").json()["ready_seconds"] == 0.0
    board.note_ready(time.monotonic() - 30)
    assert Client().get("/statusz").json()["ready_seconds"] >= 30


def test_an_instance_counts_its_failures_and_its_reads_but_no_probe(start_instance):
    instance = start_instance()
    asked = ["/pid", "/sleep/200", "/status/500", "/status/504", "/status/503", "/status/507", "/nowhere"]
    statuses = [instance.get(path)[0] for path in asked]
    assert statuses == [200, 200, 500, 504, 503, 507, 404]
    seen = _requests(instance)
    assert (seen["total"], seen["failures"], seen["reads"]) == (7, 2, 7)
    assert 0.2 <= seen["read_seconds"] < 30


def test_an_answer_that_never_came_is_a_failure(start_instance):
    instance = start_instance()
    assert instance.get("/leave")[0] in (0, 500)
    wait_until(lambda: _requests(instance).get("failures") == 1, 30, "one failure")


def test_a_worker_that_is_killed_leaves_its_totals_and_one_failure_for_each_request_in_flight(start_instance):
    instance = start_instance()
    for _ in range(5):
        assert instance.get("/pid")[0] == 200
    pid = instance.get("/pid")[1]["pid"]
    clients = Clients(instance, 2)
    clients.ask("/sleep/30000", 2)
    wait_until(lambda: _requests(instance)["in_flight"] == 2, 30, "two in flight")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: _requests(instance).get("failures") == 2, 30, "two failures")
    wait_until(instance.is_ready, 30, "ready again")
    clients.close()
    assert _requests(instance)["total"] == 8
