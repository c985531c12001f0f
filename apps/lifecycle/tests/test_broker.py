"""The look at the queue: what waits is seen, and a look that fails harms neither the check nor the lane."""

import socket
import time

import pytest
from celery import Celery
from django.conf import settings as site
from redis import Redis

from apps.lifecycle import checks
from apps.lifecycle.broker import QueueLook
from apps.lifecycle.checks import LaneSpec, Watched, redis_check
from apps.lifecycle.monitor import Lane
from apps.lifecycle.tests.stage import wait_until
from apps.lifecycle.vocabulary import CheckName

configured = Celery(broker=site.BROKER_URL)
configured.conf.task_default_queue = "others"


@pytest.fixture
def queue():
    """The real queue, empty before and after."""
    client = Redis.from_url(site.BROKER_URL)
    client.delete("celery")
    yield client
    client.delete("celery")
    client.close()


@pytest.fixture
def silent():
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/1"


def _redis_lane() -> LaneSpec:
    return next(lane for lane in checks.lanes() if lane.name == "redis")


def test_the_lane_of_redis_sees_messages_that_celery_itself_has_sent(board, queue):
    app = Celery(broker=site.BROKER_URL)
    for _ in range(3):
        app.send_task("nobody.takes.this")
    app.close()
    assert Lane(_redis_lane()).round() is True
    assert next(board.slots()).queue_depth == 3


def test_an_empty_queue_has_a_depth_of_nought(board, queue):
    QueueLook().note()
    assert next(board.slots()).queue_depth == 0


def test_a_queue_that_cannot_be_read_fails_no_check_and_keeps_what_was_seen_last(board, queue):
    slot = next(board.slots())
    slot.queue_depth = 7
    queue.set("celery", "not a list")
    assert Lane(_redis_lane()).round() is True
    assert slot.queue_depth == 7
    assert slot.checks_seen()[CheckName.REDIS].ok


def test_a_broker_that_says_nothing_holds_the_lane_up_for_a_moment_only(board, silent, settings):
    settings.BROKER_URL = silent
    watched = (Watched(CheckName.REDIS, redis_check(), "cannot be reached"),)
    lane = Lane(LaneSpec("redis", watched, 1, afterwards=QueueLook().note))
    began = time.monotonic()
    assert lane.round() is True
    assert time.monotonic() - began < 30
    assert next(board.slots()).queue_depth == -1


def test_a_name_that_was_configured_is_the_one_looked_at(board, queue, settings):
    settings.CELERY_APP = f"{__name__}.configured"
    queue.delete("others")
    queue.rpush("others", "a", "b")
    try:
        QueueLook().note()
        assert next(board.slots()).queue_depth == 2
    finally:
        queue.delete("others")


def test_an_instance_tells_how_deep_its_queue_is(instance, stage):
    address = stage.environment()["REDIS_URL"] + "/1"
    with Redis.from_url(address) as client:
        client.delete("celery")
        client.rpush("celery", "a", "b")
        wait_until(lambda: instance.get("/statusz")[1]["queue_depth"] == 2, 30, "two wait")
        client.delete("celery")
    wait_until(lambda: instance.get("/statusz")[1]["queue_depth"] == 0, 30, "none waits")
