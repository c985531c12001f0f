"""The memory that an instance's processes share, with real processes."""

import itertools
import os
import threading
import time

import pytest

from apps.lifecycle import drain, scoreboard, tally
from apps.lifecycle.scoreboard import Scoreboard
from apps.lifecycle.vocabulary import CheckName, DrainPhase, StartPhase


def _in_child(work) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def test_what_a_worker_writes_the_others_read():
    board = Scoreboard(workers=1)
    index = board.reserve()

    def work():
        slot = board.attach(index)
        slot.warmed, slot.threads_busy = 1, 7
        slot.check_ended(CheckName.REDIS, ok=False, reason="cannot be reached", began=1.0, now=1.5)

    _in_child(work)
    (slot,) = board.slots()
    seen = slot.checks_seen()[CheckName.REDIS]
    assert (slot.warmed, slot.threads_busy) == (1, 7)
    assert (seen.ok, seen.reason, seen.finished_at, seen.took_ms) == (False, "cannot be reached", 1.5, 500)


def test_a_drain_announced_by_the_master_reaches_a_worker_without_a_signal():
    board = Scoreboard(workers=1)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        scoreboard.install(board, board.attach(board.reserve()))
        until = time.monotonic() + 5
        while not drain.is_draining() and time.monotonic() < until:
            time.sleep(0.001)
        os.write(writer, b"draining" if drain.is_draining() else b"never")
        os._exit(0)
    board.enter_phase(DrainPhase.DRAINING)
    os.waitpid(pid, 0)
    assert os.read(reader, 20) == b"draining"
    os.close(reader)
    os.close(writer)


def test_the_slot_of_a_dead_worker_is_given_to_the_next():
    board = Scoreboard(workers=1)
    indexes = []
    for _ in range(10):
        index = board.reserve()
        _in_child(lambda index=index: board.attach(index))
        indexes.append(index)
    assert set(indexes) == {0}


def test_a_released_slot_is_empty_when_it_is_taken_again():
    board = Scoreboard(workers=1)
    board.attach(board.reserve()).threads_busy = 5
    board.release(0)
    assert list(board.slots()) == []
    assert board.reserve() == 0
    assert [slot.threads_busy for slot in board.slots()] == [0]


def test_totals_only_grow_however_often_workers_end_and_their_slots_are_handed_on():
    board = Scoreboard(workers=1)
    ended, seen = threading.Event(), []

    def look():
        while not ended.is_set():
            buckets = sum(board.read_buckets())
            seen.append((board.total("requests_total"), board.total("pool_refused_total"), buckets))

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(500):
        index = board.reserve()
        slot = board.attach(index)
        slot.requests_total += 1000
        slot.pool_refused_total += 1000
        slot.read_buckets[3] += 1000
        board.release(index)
    ended.set()
    reader.join(10)
    assert [min(after) >= 0 for after in _steps(seen)] == [True] * (len(seen) - 1)
    assert (board.total("requests_total"), board.total("pool_refused_total")) == (500_000, 500_000)
    assert sum(board.read_buckets()) == 500_000


def _steps(seen):
    return [
        [new - old for old, new in zip(before, after, strict=True)]
        for before, after in itertools.pairwise(seen)
    ]


def test_what_the_pool_refused_is_kept_when_its_worker_ends_and_counted_on_from_there(board):
    tally.refused(3)
    tally.refused(5)
    tally.refused(4)  # said before the 5, and heard after it
    board.release(0)
    assert board.total("pool_refused_total") == 5
    scoreboard.install(board, board.attach(board.reserve()))
    assert board.total("pool_refused_total") == 5
    tally.refused(1)  # the new worker's own pool begins at nought
    assert board.total("pool_refused_total") == 6


def test_more_workers_than_slots_are_refused():
    board = Scoreboard(workers=1)
    for _ in range(4):
        board.reserve()
    with pytest.raises(RuntimeError):
        board.reserve()


def test_a_long_reason_is_cut_and_an_odd_one_does_no_harm():
    board = Scoreboard(workers=1)
    slot = board.attach(board.reserve())
    slot.check_ended(CheckName.STORAGE, ok=False, reason="ö" * 500, began=0, now=1)
    assert set(slot.checks_seen()[CheckName.STORAGE].reason) <= {"ö", "\ufffd"}


def test_the_cold_start_is_the_masters_parts_and_the_slowest_workers():
    board = Scoreboard(workers=2)
    board.put_start(StartPhase.IMPORTS, 300)
    board.attach(board.reserve()).put_start(StartPhase.POOL, 10)
    board.attach(board.reserve()).put_start(StartPhase.POOL, 20)
    phases = board.start_phases_ms()
    assert (phases["imports"], phases["pool"]) == (300, 20)


def test_outside_an_instance_nothing_drains_and_nothing_hands_over():
    scoreboard.install(None)
    assert not drain.is_draining()
    assert not drain.should_hand_over()


def test_a_worker_that_stops_alone_hands_over(board):
    assert not drain.should_hand_over()
    next(board.slots()).stopping = 1
    assert drain.should_hand_over()
    assert not drain.is_draining()
