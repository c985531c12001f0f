"""The front page must be served within the instance before anybody is sent there, and counts as nobody's visit."""

import http.client
import json
import subprocess
import sys

import psycopg
import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client
from redis import Redis

from apps.lifecycle.first_page import ask, front_page_environment
from apps.lifecycle.tests.stage import wait_until
from apps.lifecycle.vocabulary import CheckName
from deploy.fleet.checkout import ROOT

BROKEN = "answers 500"


@pytest.fixture
def folder(tmp_path):
    """What the test site's front page looks into and writes to."""
    (tmp_path / "asked").touch()
    return tmp_path


def _asked(folder):
    return (folder / "asked").read_text().splitlines()


def _log_lines(instance, name, event):
    """Of the instance that calls itself so: the file may hold another's lines as well."""
    lines = [json.loads(line) for line in instance.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["instance"] == name and line["event"].startswith(event)]


def _wait_for_tries(folder, count):
    wait_until(lambda: len(_asked(folder)) >= count, 60, f"asked {count} times")


# --- a real instance -------------------------------------------------------------------------------------------------


def test_a_site_whose_front_page_raises_never_gets_ready_and_says_why(start_instance, folder):
    (folder / "broken").touch()
    instance = start_instance(ready=False, FRONT_PAGE=folder)
    _wait_for_tries(folder, 4)
    status, body = instance.get("/readyz")
    assert (status, body["status"]) == (503, "starting")
    assert body["checks"] == {name.value: "ok" for name in CheckName} | {"first_page": BROKEN}
    report = instance.get("/statusz")[1]
    assert report["checks"]["first_page"]["status"] == BROKEN
    assert (report["workers"][0]["warm"], report["workers"][0]["checks"]["first_page"]) == (False, BROKEN)
    assert report["ready_seconds"] == 0.0
    assert instance.get("/livez")[0] == 200


def test_what_fails_again_and_again_is_logged_once_with_its_trace(start_instance, folder):
    (folder / "broken").touch()
    instance = start_instance(ready=False, FRONT_PAGE=folder, INSTANCE="web-says-once")
    _wait_for_tries(folder, 4)
    (line,) = _log_lines(instance, "web-says-once", "first_page_failed")
    assert (line["level"], line["status"], line["reason"]) == ("error", 500, BROKEN)
    (trace,) = _log_lines(instance, "web-says-once", "Internal Server Error")
    assert "ArithmeticError" in trace["exception"]


def test_a_front_page_that_fails_at_first_and_then_works_makes_the_instance_ready(start_instance, folder):
    (folder / "broken").touch()
    # With one connection a try that kept it would leave none to the next one, or to a visitor.
    instance = start_instance(ready=False, FRONT_PAGE=folder, DB_POOL_MIN=1, DB_POOL_MAX=1)
    _wait_for_tries(folder, 2)
    assert not instance.is_ready()
    (folder / "broken").unlink()
    instance.wait_ready(60)
    assert instance.checks() == {name.value: "ok" for name in CheckName}
    assert instance.get("/query/1")[0] == 200
    assert instance.get("/statusz")[1]["cold_start_ms"]["first_page"] > 1000


def test_each_worker_asks_for_its_front_page_itself_and_only_while_it_warms_up(start_instance, folder):
    instance = start_instance(FRONT_PAGE=folder, WEB_WORKERS=2)
    assert len(_asked(folder)) == 2
    assert instance.get("/")[0] == 200
    assert len(_asked(folder)) == 3


def test_the_first_page_is_asked_for_as_a_browser_does_at_the_public_address(start_instance, folder):
    start_instance(FRONT_PAGE=folder, PUBLIC_URL="https://send.example.org")
    assert _asked(folder) == ["GET https://send.example.org/ text/html"]


def test_the_first_page_is_no_visit_in_any_count(start_instance, folder):
    instance = start_instance(FRONT_PAGE=folder)
    requests = instance.get("/statusz")[1]["requests"]
    assert (requests["total"], requests["failures"], requests["reads"]) == (0, 0, 0)
    assert 'route="/",status' not in instance.get("/metrics")[1]["text"]
    assert instance.get("/")[0] == 200
    assert instance.get("/statusz")[1]["requests"]["reads"] == 1
    assert 'route="/",status' in instance.get("/metrics")[1]["text"]


def test_a_first_page_that_fails_is_no_failure_in_any_count(start_instance, folder):
    (folder / "broken").touch()
    instance = start_instance(ready=False, FRONT_PAGE=folder)
    _wait_for_tries(folder, 2)
    assert instance.get("/statusz")[1]["requests"]["failures"] == 0


@pytest.mark.parametrize("name", ["spillway.warm_up", "spillway.warm-up", "HTTP_spillway.warm_up"])
def test_no_header_makes_a_visit_uncounted(instance, name):
    before = instance.get("/statusz")[1]["requests"]["reads"]
    connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=30)
    connection.request("GET", "/pid", headers={name: "1"})
    assert connection.getresponse().status == 200
    connection.close()
    assert instance.get("/statusz")[1]["requests"]["reads"] == before + 1


def test_the_sites_own_front_page_leaves_no_session_and_no_throttled_address(start_instance, stage):
    env = stage.environment() | {"DJANGO_SETTINGS_MODULE": "project.settings"}
    collect = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    subprocess.run(collect, cwd=ROOT, env=env, check=True)
    before = _traces(env)
    instance = start_instance(DJANGO_SETTINGS_MODULE="project.settings")
    assert _traces(env) == before
    assert instance.get("/statusz")[1]["requests"]["reads"] == 0


def _traces(env):
    with psycopg.connect(env["DATABASE_URL"]) as database:
        sessions = database.execute("select count(*) from django_session").fetchone()
    with Redis.from_url(env["REDIS_URL"]) as redis:
        return sessions, sorted(redis.scan_iter("*session*")), sorted(redis.scan_iter("*throttle*"))


# --- asking ----------------------------------------------------------------------------------------------------------


class Answer:
    """An answer's bytes, which remember what a server did with them."""

    def __init__(self, *blocks):
        self.blocks = iter(blocks)
        self.closed = False

    def __iter__(self):
        return self.blocks

    def close(self):
        self.closed = True


def test_an_answer_is_read_to_its_end_and_closed():
    answer = Answer(b"a", b"b")

    def application(environ, start_response):
        start_response("204 No Content", [])
        return answer

    assert ask(application, front_page_environment()) == 204
    assert (list(answer.blocks), answer.closed) == ([], True)


def test_an_answer_that_breaks_midway_is_closed_and_its_error_comes_through():
    def blocks():
        yield b"a"
        raise ArithmeticError

    answer = Answer()
    answer.blocks = blocks()

    def application(environ, start_response):
        start_response("200 OK", [])
        return answer

    with pytest.raises(ArithmeticError):
        ask(application, front_page_environment())
    assert answer.closed


def test_the_last_status_counts_when_an_application_changes_its_mind():
    def application(environ, start_response):
        start_response("200 OK", [])
        start_response("500 Internal Server Error", [], None)
        return [b""]

    assert ask(application, front_page_environment()) == 500


@pytest.mark.parametrize(
    ("public", "allowed", "host", "secure"),
    [
        ("http://localhost:8000", ["localhost"], "localhost:8000", False),
        ("https://send.example.org", ["send.example.org"], "send.example.org", True),
        ("https://send.example.org", ["*"], "send.example.org", True),
        ("https://send.example.org", [".example.org"], "send.example.org", True),
        ("https://[2001:db8::1]:8443", ["[2001:db8::1]"], "[2001:db8::1]:8443", True),
        ("https://send.example.org", ["other.example.org", "localhost"], "other.example.org", True),
        ("https://send.example.org", [".example.net"], "example.net", True),
    ],
)
def test_the_page_is_asked_for_at_a_host_that_the_site_answers_to(settings, public, allowed, host, secure):
    settings.PUBLIC_URL, settings.ALLOWED_HOSTS = public, allowed
    request = WSGIRequest(front_page_environment())
    assert (request.get_host(), request.is_secure()) == (host, secure)


def test_readyz_shows_the_front_page_only_while_the_instance_starts(board):
    assert Client().get("/readyz").json()["checks"]["first_page"] == "not checked yet"
    (slot,) = board.slots()
    slot.first_page.ended(ok=False, reason=BROKEN, began=1.0, now=1.5)
    assert Client().get("/readyz").json()["checks"]["first_page"] == BROKEN
    slot.warmed = 1
    assert "first_page" not in Client().get("/readyz").json()["checks"]
    assert "first_page" not in Client().get("/statusz").json()["checks"]


def test_a_front_page_that_hangs_says_so_before_it_has_ever_answered(board):
    next(board.slots()).first_page.began(1.0)
    assert Client().get("/readyz").json()["checks"]["first_page"].startswith("no answer for")


def test_of_two_workers_the_one_that_is_not_warm_tells_why(board):
    (warm,) = board.slots()
    warm.warmed = 1
    board._header.workers_wanted = 2
    board.attach(board.reserve()).first_page.ended(ok=False, reason=BROKEN, began=1.0, now=1.5)
    answer = Client().get("/readyz").json()
    assert (answer["status"], answer["checks"]["first_page"]) == ("starting", BROKEN)
