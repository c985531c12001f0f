"""What /metrics says: of requests, of the instance at this moment, and nothing whose labels a client could choose."""

import re
import time

import pytest
from django.db import DatabaseError
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from apps.lifecycle import scoreboard, tally
from apps.lifecycle.backlog import PERIOD_SECONDS, BacklogLook
from apps.lifecycle.rules import LIMIT_SECONDS
from apps.lifecycle.vocabulary import CheckName, StartPhase


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=True)


def samples(client: Client) -> dict[str, float]:
    """Every sample by its name and its labels, as they are written."""
    text = client.get("/metrics").content.decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


@pytest.mark.django_db
def test_a_request_is_counted_by_its_route_and_its_status(client, board):
    name = "spillway_requests_total{method=GET,route=/t/<token:token>,status=404}"
    before = samples(client).get(name, 0)
    client.get("/t/Zm9vYmFyYmF6cXV4-_0A1B")
    seen = samples(client)
    assert seen[name] == before + 1
    assert seen["spillway_request_seconds_count{method=GET,route=/t/<token:token>}"] >= 1


@pytest.mark.django_db
def test_whatever_strangers_ask_for_makes_one_route(client, board):
    for number in range(20):
        client.get(f"/no/such/page/{number}")
    routes = {route for name in samples(client) for route in re.findall(r"route=([^,}]+)", name)}
    assert "(none)" in routes
    assert not [route for route in routes if "such" in route]


def test_what_the_workers_count_on_the_scoreboard_is_told(client, board):
    tally.arrived(size=70, whole=True)
    tally.arrived(size=5, whole=False)
    tally.given(size=30)
    tally.broke()
    slot = next(board.slots())
    slot.pool_size, slot.pool_max, slot.pool_waiting, slot.pool_refused_total = 4, 18, 3, 2
    slot.queue_depth, slot.free_bytes = 7, 2**30
    seen = samples(client)
    assert {name: seen[f"spillway_{name}"] for name in (
        "upload_bytes_total", "uploads_total", "download_bytes_total", "downloads_total", "answers_failed_total",
        "pool_size", "pool_max", "pool_waiting", "pool_refused_total", "queue_depth", "storage_free_bytes",
    )} == {
        "upload_bytes_total": 75, "uploads_total": 1, "download_bytes_total": 30, "downloads_total": 1,
        "answers_failed_total": 1, "pool_size": 4, "pool_max": 18, "pool_waiting": 3, "pool_refused_total": 2,
        "queue_depth": 7, "storage_free_bytes": 2**30,
    }  # fmt: skip


def test_an_upload_under_way_is_told(client, board):
    with tally.uploading():
        assert samples(client)["spillway_uploads_active"] == 1
    assert samples(client)["spillway_uploads_active"] == 0


def test_each_part_of_the_cold_start_is_told_in_seconds(client, board, settings):
    board.put_start(StartPhase.IMPORTS, 250)
    board.note_ready(board.began_at + 0.75)
    seen = samples(client)
    assert seen["spillway_start_seconds{phase=imports}"] == 0.25
    assert seen["spillway_start_seconds{phase=total}"] == 0.75
    assert abs(seen["spillway_started_at_seconds"] - time.time()) < 60


def test_when_the_instance_began_is_one_number_for_as_long_as_it_lives(client, board):
    told = {samples(client)["spillway_started_at_seconds"] for _ in range(5)}
    assert told == {board.started_at}


def test_a_check_counts_once_it_was_made(client, board):
    assert not [name for name in samples(client) if name.startswith("spillway_check_ok")]
    (slot,) = board.slots()
    slot.check_ended(CheckName.REDIS, ok=False, reason="cannot be reached", began=0, now=time.monotonic())
    slot.check_ended(CheckName.DATABASE, ok=True, reason="ok", began=0, now=time.monotonic())
    told = {name: value for name, value in samples(client).items() if name.startswith("spillway_check_ok")}
    assert told == {"spillway_check_ok{check=redis}": 0, "spillway_check_ok{check=database}": 1}


def test_a_first_check_that_hangs_is_not_ok(client, board):
    next(board.slots()).check_began(CheckName.REDIS, time.monotonic() - 2 * LIMIT_SECONDS)
    assert samples(client)["spillway_check_ok{check=redis}"] == 0


def test_the_release_is_an_info_metric(client, board):
    assert samples(client)["spillway_release_info{name=test,release=test,role=manage}"] == 1


def test_what_nobody_has_seen_yet_is_left_out_rather_than_nought(client, board):
    seen = samples(client)
    assert "spillway_queue_depth" not in seen
    assert "spillway_queue_age_seconds" not in seen
    assert "spillway_storage_free_bytes" not in seen


def test_every_name_and_help_is_as_prometheus_wants_them(client, board):
    for family in text_string_to_metric_families(client.get("/metrics").content.decode()):
        if family.name.startswith("spillway_"):
            assert family.documentation.endswith((".", "…")), family.name
            assert family.type in {"counter", "gauge", "histogram", "info"}, family.name


# --- What waits for a worker


def backlog(monkeypatch, settings, *answers):
    """settings.BACKLOG gives these answers in turn; those that are exceptions are raised."""
    left = list(answers)

    def look(using: str) -> tuple[int, float]:
        assert using == "default"
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        files, seconds = answer
        return files, seconds

    settings.BACKLOG = "apps.lifecycle.backlog.asked_of_a_test"
    monkeypatch.setattr("apps.lifecycle.backlog.asked_of_a_test", look, raising=False)


def test_what_waits_and_since_when_is_told(client, board, monkeypatch, settings):
    backlog(monkeypatch, settings, (3, 12.5))
    BacklogLook("default").look()
    seen = samples(client)
    assert (seen["spillway_files_waiting"], seen["spillway_queue_age_seconds"]) == (3, 12.5)


def test_the_backlog_is_looked_at_now_and_then_and_not_with_every_check(board, monkeypatch, settings):
    backlog(monkeypatch, settings, (3, 12.5))
    look = BacklogLook("default")
    look.look()
    look.look()  # a second answer would be missing
    assert PERIOD_SECONDS > settings.HEALTH_INTERVAL_SECONDS
    assert next(board.slots()).files_waiting == 3


def test_only_one_worker_of_an_instance_looks(monkeypatch, settings):
    backlog(monkeypatch, settings)  # no answer: a question would fail
    made = scoreboard.Scoreboard(workers=2)
    made.attach(made.reserve())
    scoreboard.install(made, made.attach(made.reserve()))
    try:
        BacklogLook("default").look()
        assert [slot.files_waiting for slot in made.slots()] == [-1, -1]
    finally:
        scoreboard.install(None)


def test_a_look_that_fails_leaves_what_was_seen_before(board, monkeypatch, settings):
    backlog(monkeypatch, settings, (3, 12.5), DatabaseError("gone"))
    BacklogLook("default").look()
    BacklogLook("default").look()
    assert next(board.slots()).files_waiting == 3
