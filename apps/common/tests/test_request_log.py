"""The one log line of a request: what it must say, and what it must not."""

import re

import pytest
from django.test import Client
from structlog.testing import capture_logs

pytestmark = pytest.mark.django_db
TOKEN = "Zm9vYmFyYmF6cXV4-_0A1B"


def line_of(client: Client, method: str, path: str, **more):
    with capture_logs() as lines:
        answer = client.generic(method, path, **more)
    [line] = [line for line in lines if line["event"] == "request"]
    return line, answer


def test_a_line_says_method_route_status_time_and_bytes() -> None:
    line, answer = line_of(Client(), "POST", f"/t/{TOKEN}/password", data="password=x")
    assert (line["method"], line["route"], line["status"]) == (
        "POST",
        "/t/<token:token>/password",
        answer.status_code,
    )
    assert line["ms"] > 0
    assert line["bytes_in"] == len("password=x")
    assert line["bytes_out"] == len(answer.content) > 0


def test_a_line_names_no_token_even_where_no_route_leads() -> None:
    line, _ = line_of(Client(), "GET", f"/nowhere/{TOKEN}?x={TOKEN}")
    assert line["route"] == "(none)"
    assert TOKEN not in str(line)


def test_a_stranger_is_a_digest_that_is_the_same_again_and_not_the_address() -> None:
    address = {"X-Forwarded-For": "203.0.113.9"}
    first, _ = line_of(Client(headers=address), "GET", "/nowhere")
    again, _ = line_of(Client(headers=address), "GET", "/elsewhere")
    other, _ = line_of(Client(headers={"X-Forwarded-For": "203.0.113.10"}), "GET", "/nowhere")
    assert re.fullmatch(r"[0-9a-f]{12}", first["address"])
    assert first["address"] == again["address"] != other["address"]
    assert "203.0.113" not in str(first)


def test_somebody_signed_in_is_an_account_and_no_address(django_user_model) -> None:
    user = django_user_model.objects.create(username="alice", email="alice@example.org")
    client = Client()
    client.force_login(user)
    line, _ = line_of(client, "GET", "/accounts/email/")
    assert line["user"] == str(user.pk)
    assert "address" not in line
    assert "alice" not in str(line)


def test_the_line_asks_no_database_who_it_was(django_assert_num_queries) -> None:
    client = Client()
    client.cookies["spillway_session"] = "x" * 32
    with django_assert_num_queries(0):
        line, _ = line_of(client, "GET", "/nowhere.txt", headers={"Accept": "application/json"})
    assert "address" in line


@pytest.mark.parametrize("told", ["", "-1", "1e3", "9" * 30, "٣"])
def test_a_length_that_makes_no_sense_is_nought(told: str) -> None:
    line, _ = line_of(Client(), "GET", "/nowhere", CONTENT_LENGTH=told)
    assert line["bytes_in"] == 0
