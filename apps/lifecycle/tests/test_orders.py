"""An operator's order to drain, and what an instance says of itself: a real gunicorn, PostgreSQL and Redis."""

import json
import os
import time
from contextlib import contextmanager

import psycopg
import pytest
from redis import Redis

from apps.lifecycle import heartbeats, scoreboard, tally
from apps.lifecycle.heartbeats import Beater, Heartbeat
from apps.lifecycle.models import DrainOrder
from apps.lifecycle.ordered import OrderLook
from apps.lifecycle.rules import LATENCY_BUCKETS, LATENCY_SECONDS, latency_bucket, latency_quantile
from apps.lifecycle.tests.stage import DRAIN_SECONDS, wait_until


@contextmanager
def redis_of(stage):
    with Redis.from_url(f"{stage.environment()['REDIS_URL']}/0") as redis:
        yield redis


def said_by(stage, name):
    with redis_of(stage) as redis:
        text = redis.get(f"spillway:fleet:instance:{name}")
    return Heartbeat.from_json(text) if text else None


def order(stage, instance, boot):
    with psycopg.connect(stage.environment()["DATABASE_URL"], autocommit=True) as database:
        database.execute("DELETE FROM lifecycle_drainorder WHERE instance = %s", [instance])
        database.execute(
            "INSERT INTO lifecycle_drainorder (instance, boot, by, reason, ordered_at)"
            " VALUES (%s, %s, 'ada', '', now())",
            [instance, boot],
        )


def orders(stage, instance):
    with psycopg.connect(stage.environment()["DATABASE_URL"]) as database:
        return database.execute(
            "SELECT seen_at IS NOT NULL, closed_at IS NOT NULL FROM lifecycle_drainorder WHERE instance = %s",
            [instance],
        ).fetchall()


def test_an_instance_says_how_it_is_and_what_it_has_counted(stage, start_instance):
    instance = start_instance(WEB_WORKERS=2)
    wait_until(
        lambda: (beat := said_by(stage, "web-1")) and beat.state == "ready", 10, "it says that it is ready"
    )
    for _ in range(20):
        instance.get("/pid")
    beat = said_by(stage, "web-1")
    assert (beat.release, beat.threads, beat.troubles) == ("r1", 32, {})

    def counted():
        with redis_of(stage) as redis:
            rows = redis.hgetall(f"spillway:fleet:minute:{int(time.time() // 60)}")
        total = json.loads(rows.get(f"web-1/{beat.boot}".encode(), "{}"))
        return total.get("requests", 0) >= 20 and sum(total["buckets"]) >= 20

    wait_until(counted, 70, "its requests are counted")


def test_an_ordered_instance_drains_as_after_a_sigterm_and_ends(stage, start_instance):
    instance = start_instance()
    wait_until(lambda: said_by(stage, "web-1"), 10, "it says something")
    order(stage, "web-1", said_by(stage, "web-1").boot)
    instance.wait_unready(6)
    began = time.monotonic()
    while time.monotonic() - began < DRAIN_SECONDS - 0.5:
        assert instance.get("/pid")[0] == 200
    assert instance.wait_exit(10) == 0
    assert orders(stage, "web-1")[-1] == (True, False)


def test_an_order_for_an_earlier_life_drains_nobody_and_is_closed(stage, start_instance):
    order(stage, "web-1", "1")
    instance = start_instance()
    wait_until(lambda: (False, True) in orders(stage, "web-1"), 10, "the old order is closed")
    assert instance.get("/readyz")[0] == 200


def test_only_the_first_living_worker_speaks(board):
    first = scoreboard.own_slot()
    second = board.attach(board.reserve())
    assert board.speaks(first)
    assert not board.speaks(second)
    board.release(0)
    assert board.speaks(second)


@pytest.fixture
def never_told(monkeypatch):
    """Whoever would be told to end."""
    told = []
    monkeypatch.setattr(os, "kill", lambda pid, number: told.append(pid))
    return told


def test_a_worker_whose_master_has_died_tells_nobody_to_end(db, board, never_told):
    DrainOrder.objects.create(instance="test", boot=board.boot, by="ada")
    # This process made the board, so its parent is not the board's master.
    OrderLook("default").look()
    assert never_told == []


def test_a_database_that_cannot_be_asked_hurts_no_thread_and_is_said(board, capsys, caplog):
    OrderLook("nowhere").look()
    assert "drain_order_unread" in caplog.text + capsys.readouterr().err


def test_a_redis_that_cannot_be_asked_hurts_no_thread(board, settings):
    settings.CACHE_URL = "redis://127.0.0.1:1/0"
    beater = Beater()
    beater.beat()
    assert beater._client is not None  # it did ask


def test_two_lives_under_one_name_are_told_apart():
    assert scoreboard.Scoreboard(workers=1).boot != scoreboard.Scoreboard(workers=1).boot


def test_what_ended_workers_counted_stays_counted(board):
    tally.answered(method="GET", status_code=200, seconds=0.03)
    tally.arrived(size=100, whole=True)
    tally.given(size=7)
    board.release(0)
    assert sum(board.read_buckets()) == 1
    names = ("arrived_bytes_total", "uploads_total", "given_bytes_total", "downloads_total")
    assert [board.total(name) for name in names] == [100, 1, 7, 1]


def test_an_upload_is_active_while_its_request_is(board):
    with tally.uploading():
        assert heartbeats.totals(board).uploads_active == 1
    assert heartbeats.totals(board).uploads_active == 0


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (0.002, 0), (0.0021, 1), (10.0, LATENCY_BUCKETS - 2), (11.0, LATENCY_BUCKETS - 1)],
)
def test_a_time_is_counted_in_the_first_bucket_that_reaches_so_far(seconds, bucket):
    assert latency_bucket(seconds) == bucket


def test_a_quantile_lies_in_the_bucket_that_holds_it():
    buckets = [0] * LATENCY_BUCKETS
    buckets[2], buckets[9] = 98, 2
    assert LATENCY_SECONDS[1] < (latency_quantile(buckets, 0.5) or 0) <= LATENCY_SECONDS[2]
    assert LATENCY_SECONDS[8] < (latency_quantile(buckets, 0.99) or 0) <= LATENCY_SECONDS[9]


def test_what_took_longer_than_the_last_bucket_begins_is_said_to_have_taken_that_long():
    buckets = [0] * LATENCY_BUCKETS
    buckets[-1] = 5
    assert latency_quantile(buckets, 0.5) == LATENCY_SECONDS[-1]


def test_nothing_counted_has_no_quantile():
    assert latency_quantile([0] * LATENCY_BUCKETS, 0.5) is None
