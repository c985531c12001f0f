"""Traces and crash reports of real processes: a gunicorn instance, a Celery worker, beat, a command."""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.common.tests.receiver import Receiver
from apps.lifecycle.tests.stage import Stage, wait_until
from apps.lifecycle.tests.test_exporter import ASKED_BY, RunningWorker
from deploy.fleet.checkout import ROOT

TOKEN = "Zm9vYmFyYmF6cXV4-_0A1B"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def reports(receiver: Receiver) -> list[dict[str, Any]]:
    """The crashes that were reported."""
    lines = [line for _, body in list(receiver.got) for line in body.decode().splitlines()]
    return [told for line in lines if "exception" in (told := json.loads(line))]


def crashes(receiver: Receiver) -> set[tuple[str, str]]:
    """What was raised, and what it says."""
    raised = [report["exception"]["values"][-1] for report in reports(receiver)]
    return {(one["type"], one["value"]) for one in raised}


def test_what_the_workers_of_an_instance_did_is_sent_before_they_end(start_instance, receiver) -> None:
    instance = start_instance(WEB_WORKERS=2, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.host}")
    for _ in range(20):
        instance.get("/query/1")
    instance.send(signal.SIGTERM)
    assert instance.wait_exit(20) == 0
    names = [span.name for span in receiver.spans()]
    assert names.count("GET query/<int:milliseconds>") == 20
    assert names.count("SELECT") + names.count("select") >= 20
    # What the instance asks itself, every other second, is nobody's request.
    assert {span.trace_id for span in receiver.spans() if span.name.upper() == "SELECT"} <= {
        span.trace_id for span in receiver.spans() if span.name.startswith("GET ")
    }


def test_a_trace_says_neither_path_nor_query_nor_headers_nor_whose_address(
    start_instance, receiver: Receiver
) -> None:
    instance = start_instance(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.host}")
    asked = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=10)
    headers = {"User-Agent": "a-telling-agent", "Referer": "http://a-telling-site/", "Content-Length": "0"}
    asked.request("PUT", "/a-telling-name.pdf?a=telling-query", headers=headers)
    asked.getresponse().read()
    asked.close()
    instance.send(signal.SIGTERM)
    assert instance.wait_exit(20) == 0
    [put] = [span for span in receiver.spans() if span.name == "PUT"]
    said = {one.key: one.value for one in put.attributes}
    assert set(said) == {
        "http.method",
        "http.scheme",
        "http.flavor",
        "http.route",
        "http.status_code",
        "spillway.request_id",
    }
    assert said["http.route"].string_value == "<str:name>"
    assert b"telling" not in b"".join(body for _, body in receiver.got)


def test_a_request_with_a_wrong_host_has_its_log_line_and_its_metric_where_requests_are_traced(
    start_instance, receiver: Receiver
) -> None:
    instance = start_instance(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.host}")
    asked = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=10)
    asked.request("GET", "/pid", headers={"Host": "elsewhere.example", "X-Request-Id": "of-a-wrong-host"})
    answer = asked.getresponse()
    assert (answer.status, answer.headers["X-Request-Id"]) == (400, "of-a-wrong-host")
    asked.close()
    lines = [json.loads(line) for line in instance.log.read_text().splitlines()]
    assert [line["status"] for line in lines if line.get("request_id") == "of-a-wrong-host"] == [400]
    assert 'status="400"' in instance.get("/metrics")[1]["text"]


def test_an_error_in_a_worker_of_an_instance_is_reported(start_instance, receiver, tmp_path) -> None:
    instance = start_instance(SENTRY_DSN=f"http://public@{receiver.host}/1", FRONT_PAGE=tmp_path)
    (tmp_path / "broken").touch()
    assert instance.get("/")[0] == 500
    wait_until(lambda: b"ArithmeticError" in b"".join(body for _, body in receiver.got), 10, "it is reported")


def test_an_error_of_a_task_is_reported_masked(stage: Stage, receiver: Receiver) -> None:
    worker = RunningWorker(stage, SENTRY_DSN=f"http://public@{receiver.host}/1")
    try:
        # No task takes an argument of this name: it raises, and says which.
        told = {"request_id": ASKED_BY}
        worker.app.send_task("accounts.clear_sessions", kwargs={f"/t/{TOKEN}": 1}, headers=told)
        wait_until(lambda: reports(receiver), 30, f"it is reported; {worker.log}")
    finally:
        worker.close()
    [report] = reports(receiver)
    [(kind, words)] = crashes(receiver)
    assert kind == "TypeError"
    assert "/t/***" in words
    assert (report["transaction"], report["tags"]["role"]) == ("accounts.clear_sessions", "worker")
    assert report["tags"]["request_id"] == ASKED_BY
    assert TOKEN.encode() not in b"".join(body for _, body in receiver.got)


def run(stage: Stage, *argv: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    env = stage.environment() | {"DJANGO_SETTINGS_MODULE": "project.settings"} | variables
    return subprocess.run(
        [sys.executable, *argv], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_an_error_of_a_command_is_reported(stage: Stage, receiver: Receiver) -> None:
    code = f"raise ArithmeticError('at /t/{TOKEN}')"
    done = run(
        stage, "manage.py", "shell", "-v", "0", "-c", code, SENTRY_DSN=f"http://public@{receiver.host}/1"
    )
    assert done.returncode == 1
    assert crashes(receiver) == {("ArithmeticError", "at /t/***")}
    # Neither does it say what the command was told.
    assert TOKEN.encode() not in b"".join(body for _, body in receiver.got)
    assert "Sentry" not in done.stderr


def test_an_error_of_beat_is_reported(stage: Stage, receiver: Receiver) -> None:
    scheduler = "apps.lifecycle.tests.broken_scheduler:BrokenScheduler"
    told = {"ROLE": "beat", "INSTANCE": "beat", "SENTRY_DSN": f"http://public@{receiver.host}/1"}
    run(stage, "-m", "celery", "-q", "-A", "project", "beat", "-S", scheduler, **told)
    assert crashes(receiver) == {("ArithmeticError", "nothing is due at /t/***")}
    assert {report["tags"]["role"] for report in reports(receiver)} == {"beat"}


def test_a_task_goes_on_with_the_trace_of_whoever_asked_for_it(
    stage: Stage, receiver: Receiver, tmp_path: Path
) -> None:
    told_where = tmp_path / "endpoint"
    told_where.write_text(f"http://{receiver.host}/")  # as a mounted secret
    worker = RunningWorker(stage, OTEL_EXPORTER_OTLP_ENDPOINT_FILE=str(told_where))
    try:
        wait_until(worker.metrics, 30, f"the worker is there; {worker.log}")
        told = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        worker.app.send_task("accounts.clear_sessions", headers=told)
        wait_until(
            lambda: "run/accounts.clear_sessions" in {span.name for span in receiver.spans()},
            20,
            "it is traced",
        )
    finally:
        worker.close()
    spans = receiver.spans()
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    assert "DELETE" in {span.name for span in spans}
