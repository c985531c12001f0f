"""Traces and crash reports: nothing of them where nobody asked, and no capability in them where somebody did.

In processes of their own, since the libraries change what they watch; with a real receiver, PostgreSQL and Redis.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from apps.common.tests.receiver import Receiver
from deploy.fleet.checkout import ROOT

TOKEN = "Zm9vYmFyYmF6cXV4-_0A1B"
TRACE = "0af7651916cd43dd8448eb211c80319c"
LOADED = """
import sys
from project.wsgi import application
import project.celery
print([name for name in sys.modules if name.startswith(("opentelemetry", "sentry_sdk"))])
"""
ASK = """
import django
from django.conf import settings
from project.wsgi import application
from django.test import Client
from apps.common import watching
client = Client(raise_request_exception=False)
told = {"traceparent": "00-%(trace)s-b7ad6b7169203331-01", "X-Request-Id": "the-id-of-this-request"}
for path in ("/livez", "/t/%(token)s?to=/t/%(token)s", "/t/%(token)s/crash"):
    client.get(path, headers=told)
watching.end()
""" % {"token": TOKEN, "trace": TRACE}  # noqa: UP031  # it holds braces
LOGGED = """
import logging
import structlog
from project.wsgi import application
from apps.common import watching
def look():
    raise LookupError("nothing at /x/staging/aa/" + "a" * 32 + "/0-1")
def tell(say, event):
    try:
        look()
    except LookupError:
        say(event, exc_info=True)
tell(structlog.get_logger("a").error, "part_missing")
tell(structlog.get_logger("a").warning, "not_so_bad")
tell(logging.getLogger("gunicorn.error").error, "Error handling request")
structlog.get_logger("a").error("nothing_was_raised")
watching.end()
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def run(code: str, **variables: str) -> str:
    env = (
        os.environ
        | {"ROLE": "web", "DEBUG": "", "LOG_LEVEL": "INFO", "ALLOWED_HOSTS": "testserver"}
        | variables
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


WATCHED = """
from project import settings
settings.ROOT_URLCONF = "apps.common.tests.watched_urls"
"""


def test_without_the_settings_neither_library_is_imported() -> None:
    assert run(LOADED).splitlines()[-1] == "[]"


def test_with_one_of_them_only_that_one_is() -> None:
    loaded = run(LOADED, SENTRY_DSN="http://public@127.0.0.1:1/1").splitlines()[-1]
    assert "sentry_sdk" in loaded
    assert "opentelemetry.sdk" not in loaded


def test_a_request_is_one_trace_with_its_queries_redis_and_tasks_and_without_its_token(
    receiver: Receiver,
) -> None:
    run(WATCHED + ASK, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.host}")
    spans = receiver.spans()
    names = " | ".join(span.name for span in spans)
    attributes = {a.key: a.value.string_value for span in spans for a in span.attributes}
    assert "GET t/<str:token>" in names
    assert "SELECT" in names
    assert "LISTEN" in names
    assert "GET" in {span.name for span in spans}  # of Redis
    assert "accounts.clear_sessions" in names
    # One trace, and it is the one that was begun before the proxy.
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    assert attributes["spillway.request_id"] == "the-id-of-this-request"
    assert "livez" not in names
    sent = b"".join(body for _, body in receiver.got).decode(errors="replace")
    assert "/t/***" in sent
    assert TOKEN not in sent
    assert "a" * 32 not in sent


def test_of_a_share_of_nought_nothing_is_traced_whatever_a_stranger_says(receiver: Receiver) -> None:
    run(WATCHED + ASK, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.host}", TRACES_SHARE="0")
    assert receiver.spans() == []


def reports(sent: str) -> list[dict[str, Any]]:
    told = [json.loads(line) for line in sent.splitlines() if line]
    return [event for event in told if "exception" in event and "release" in event]


def test_an_error_that_is_logged_is_reported_with_its_stack_under_its_name_and_masked(
    receiver: Receiver,
) -> None:
    run(LOGGED, SENTRY_DSN=f"http://public@{receiver.host}/1")
    sent = b"\n".join(body for _, body in receiver.got).decode()
    ours, theirs = reports(sent)
    for event in (ours, theirs):
        [crash] = event["exception"]["values"]
        assert (crash["type"], crash["value"]) == ("LookupError", "nothing at /x/staging/aa/***/0-1")
        assert crash["stacktrace"]["frames"][-1]["function"] == "look"
    assert (ours["fingerprint"], ours["tags"]["logger"]) == (["part_missing"], "a")
    assert "fingerprint" not in theirs
    assert "a" * 32 not in sent
    assert "nothing_was_raised" not in sent


def test_a_crash_is_reported_with_release_and_request_id_and_without_token_or_variables(
    receiver: Receiver,
) -> None:
    run(WATCHED + ASK, SENTRY_DSN=f"http://public@{receiver.host}/1")
    sent = b"\n".join(body for _, body in receiver.got).decode()
    [event] = reports(sent)
    [crash] = event["exception"]["values"]
    assert (crash["type"], crash["value"]) == ("ArithmeticError", "no way at /t/*** (27)")
    assert (event["release"], event["server_name"]) == ("test", "test")
    assert event["tags"]["request_id"] == "the-id-of-this-request"
    assert event["transaction"] == "/t/{token}/crash"
    assert set(event["request"]) == {"method"}
    assert TOKEN not in sent
    assert "hunter2" not in sent
