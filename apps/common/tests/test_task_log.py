"""A task is known by the request that asked for it: in its message, in its log lines, and in what it enqueues."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from celery import Celery
from django.conf import settings as site
from prometheus_client import REGISTRY
from redis import Redis
from structlog.testing import capture_logs

from apps.common import task_log

ASKED_BY = "0123456789abcdef"


@pytest.fixture
def celery_app() -> Iterator[Celery]:
    """An application of the test's own, with a queue of its own."""
    app = Celery("of-a-test", broker=site.BROKER_URL, set_as_current=False)
    app.conf.task_default_queue = "task-log"
    app.conf.task_always_eager = False
    yield app
    with Redis.from_url(site.BROKER_URL) as broker:
        broker.delete("task-log")
    structlog.contextvars.clear_contextvars()


def message() -> dict[str, Any]:
    with Redis.from_url(site.BROKER_URL) as broker:
        return dict(json.loads(broker.lpop("task-log")))


def test_the_requests_id_goes_with_the_message(celery_app: Celery) -> None:
    with structlog.contextvars.bound_contextvars(request_id=ASKED_BY):
        celery_app.send_task("a.task")
    assert message()["headers"]["request_id"] == ASKED_BY


def test_a_message_that_no_request_asked_for_has_no_id(celery_app: Celery) -> None:
    celery_app.send_task("a.task")
    assert "request_id" not in message()["headers"]


def run(app: Celery, work, **headers: str) -> list[Any]:
    """Run it as a worker does, with what the message says; the log lines, each with what is bound to it."""
    task = app.task(name="tests.work", bind=True)(work)
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        task.apply(task_id="the-tasks-own-id", headers=headers)
    return lines


def test_every_line_of_a_task_has_the_id_of_the_request_and_the_tasks_name(celery_app: Celery) -> None:
    def work(self) -> None:
        structlog.get_logger("x").info("in_the_middle")

    lines = run(celery_app, work, request_id=ASKED_BY)
    assert [line["event"] for line in lines] == ["in_the_middle", "task"]
    assert {(line["request_id"], line["task"]) for line in lines} == {(ASKED_BY, "tests.work")}
    assert lines[-1]["outcome"] == "success"
    assert lines[-1]["ms"] >= 0


def test_a_task_of_nobodys_is_known_by_its_own_id_and_so_is_what_it_enqueues(celery_app: Celery) -> None:
    def work(self) -> None:
        celery_app.send_task("the.next")

    lines = run(celery_app, work)
    assert lines[-1]["request_id"] == "the-tasks-own-id"
    assert message()["headers"]["request_id"] == "the-tasks-own-id"


def test_what_a_task_left_bound_is_not_the_next_ones(celery_app: Celery) -> None:
    def work(self) -> None:
        structlog.contextvars.bind_contextvars(file="a")

    run(celery_app, work, request_id=ASKED_BY)
    assert structlog.contextvars.get_contextvars() == {}


def test_a_task_that_fails_is_counted_and_logged_as_failed(celery_app: Celery) -> None:
    def work(self) -> None:
        raise ArithmeticError

    labels = {"task": "tests.work", "outcome": "failure"}
    before = REGISTRY.get_sample_value("spillway_task_seconds_count", labels) or 0
    assert run(celery_app, work)[-1]["outcome"] == "failure"
    assert REGISTRY.get_sample_value("spillway_task_seconds_count", labels) == before + 1


def test_installing_twice_counts_once(celery_app: Celery) -> None:
    def work(self) -> None:
        pass

    task_log.install()
    assert [line["event"] for line in run(celery_app, work)] == ["task"]
