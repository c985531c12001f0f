"""The probes' answers, in one process: shapes, methods, and who may see what."""

import time

import pytest
from django.test import Client

from apps.lifecycle.vocabulary import CheckName, DrainPhase


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=True)


def _all_fine(board) -> None:
    (slot,) = board.slots()
    slot.warmed = 1
    for name in CheckName:
        slot.check_ended(name, ok=True, reason="ok", began=time.monotonic(), now=time.monotonic())


def test_livez_is_alive_even_where_nothing_runs(client):
    answer = client.get("/livez")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "alive", "instance": "test", "release": "test"},
    )


def test_readyz_is_starting_before_anything_was_checked(client, board):
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "starting"
    assert answer.json()["checks"]["database"] == "not checked yet"


def test_readyz_is_ready_when_all_is_fine(client, board):
    _all_fine(board)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")


def test_readyz_is_unready_with_the_reason_of_the_check_that_failed(client, board):
    _all_fine(board)
    now = time.monotonic()
    next(board.slots()).check_ended(CheckName.REDIS, ok=False, reason="cannot be reached", began=now, now=now)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "unready")
    assert answer.json()["checks"] == {
        "database": "ok",
        "redis": "cannot be reached",
        "pool": "ok",
        "migrations": "ok",
        "storage": "ok",
    }


@pytest.mark.parametrize("phase", [DrainPhase.DRAINING, DrainPhase.STOPPING])
def test_readyz_is_draining_from_the_signal_to_the_end(client, board, phase):
    _all_fine(board)
    board.enter_phase(phase)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "draining")


def test_a_stale_result_makes_the_instance_unready(client, board):
    _all_fine(board)
    old = time.monotonic() - 60
    next(board.slots()).check_ended(CheckName.DATABASE, ok=True, reason="ok", began=old, now=old)
    assert client.get("/readyz").json()["checks"]["database"] == "last checked 60 s ago"


def test_probes_ask_no_database(client, board):
    for path in ("/livez", "/readyz", "/statusz", "/metrics"):
        client.get(path)  # without the django_db mark a query would raise


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/statusz", "/metrics"])
def test_a_probe_sets_no_cookie_and_is_never_cached(client, board, path):
    answer = client.get(path)
    assert answer.cookies == {}
    assert answer["Cache-Control"] == "no-store"


def test_a_503_of_a_probe_is_not_logged_as_an_error(client, board, caplog):
    assert client.get("/readyz").status_code == 503
    assert caplog.records == []


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/statusz", "/metrics"])
def test_a_probe_takes_only_get_and_head(client, board, path):
    assert client.post(path).status_code == 405
    answer = client.head(path)
    assert (answer.content, int(answer["Content-Length"]) > 0) == (b"", True)


@pytest.mark.parametrize("path", ["/statusz", "/metrics"])
def test_what_came_through_a_proxy_sees_no_inside(client, board, path):
    assert client.get(path, headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 404


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_what_came_through_a_proxy_may_ask_whether_we_live(client, board, path):
    assert client.get(path, headers={"X-Forwarded-For": "203.0.113.9"}).status_code in (200, 503)


def test_statusz_tells_everything(client, board):
    _all_fine(board)
    report = client.get("/statusz").json()
    assert set(report) == {
        "instance", "release", "state", "phase", "uptime_seconds", "ready_seconds", "cold_start_ms", "requests",
        "threads", "pool", "queue_depth", "backlog", "uploads_active", "check_age_seconds", "checks", "storage",
        "workers",
    }  # fmt: skip
    assert set(report["requests"]) == {"in_flight", "waiting", "total", "failures", "reads", "read_seconds"}
    assert set(report["checks"]["database"]) == {"status", "age_seconds", "took_ms"}
    assert set(report["pool"]) == {"min", "max", "size", "available", "waiting", "refused_total"}


def test_metrics_show_state_and_checks(client, board):
    _all_fine(board)
    text = client.get("/metrics").content.decode()
    assert 'spillway_instance_state{state="ready"} 1.0' in text
    assert 'spillway_check_ok{check="database"} 1.0' in text


def test_metrics_tell_what_others_scale_by(client, board, settings):
    _all_fine(board)
    slot = next(iter(board.slots()))
    slot.threads_busy, slot.requests_waiting, slot.queue_depth = 8, 4, 7
    settings.WEB_THREADS = 16
    text = client.get("/metrics").content.decode()
    assert "\nspillway_utilisation 0.75\n" in text
    assert "\nspillway_queue_depth 7.0\n" in text


def test_an_unknown_queue_is_no_empty_queue(client, board):
    _all_fine(board)
    assert "spillway_queue_depth" not in client.get("/metrics").content.decode()


def test_an_invented_method_makes_no_label_of_its_own(client, board, db):
    client.generic("BREW", "/nowhere")
    text = client.get("/metrics").content.decode()
    assert "BREW" not in text
    assert 'method="other"' in text


@pytest.mark.django_db
def test_the_operators_page_sends_strangers_to_the_sign_in(client):
    answer = client.get("/health/")
    assert answer.status_code == 302
    assert "login" in answer["Location"]


@pytest.mark.django_db
def test_the_operators_page_is_not_for_signed_in_people_without_staff_rights(client, django_user_model):
    client.force_login(django_user_model.objects.create(username="bob", email="bob@example.org"))
    assert client.get("/health/").status_code == 302


def _sign_in_staff(client, django_user_model):
    client.force_login(
        django_user_model.objects.create(username="alice", email="alice@example.org", is_staff=True)
    )


@pytest.mark.django_db(transaction=True)
def test_staff_see_every_check_on_the_operators_page(client, django_user_model, settings, tmp_path):
    for name in ("staging", "blobs"):
        (tmp_path / name).mkdir()
    settings.STORE_ROOT = tmp_path
    _sign_in_staff(client, django_user_model)
    answer = client.get("/health/?format=json")
    assert answer.status_code == 200, answer.content
    assert len(answer.json()) == 5
    assert set(answer.json().values()) == {"OK"}


@pytest.mark.django_db(transaction=True)
def test_the_operators_page_says_503_when_a_check_fails(client, django_user_model, settings, tmp_path):
    settings.STORE_ROOT = tmp_path
    _sign_in_staff(client, django_user_model)
    assert client.get("/health/?format=json").status_code == 503
