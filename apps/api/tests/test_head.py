"""HEAD is answered wherever GET is: the same status and headers, and no body."""

from typing import Any

import pytest
from django.test import Client

from apps.api.tests.program import Program, refusal
from apps.api.tests.test_openapi import OPERATIONS, ask
from apps.transfers.tests.cast import Sent

READS = [(path, operation) for _, method, path, operation in OPERATIONS if method == "get"]


@pytest.mark.parametrize(("path", "operation"), READS, ids=lambda v: v if isinstance(v, str) else "")
def test_every_operation_that_reads_answers_a_head_as_a_get_without_its_body(
    reader: Program, sent: Sent, path: str, operation: dict[str, Any]
) -> None:
    head = ask(reader, "head", path, operation["operationId"], sent)
    assert (head.status_code, head.content) == (200, b"")
    assert head["Content-Type"].startswith("application/json")
    assert head["Cache-Control"] == "no-store"
    assert int(head["Content-Length"]) > 0


def test_the_length_is_that_of_the_body_which_a_get_would_have(reader: Program, sent: Sent) -> None:
    path = f"/transfers/{sent.transfer.pk}"
    assert reader.ask("head", path)["Content-Length"] == str(len(reader.get(path).content))


@pytest.mark.parametrize("path", ["openapi.json", "docs"])
def test_the_description_answers_it_too(client: Client, path: str) -> None:
    response = client.head(f"/api/v1/{path}")
    assert (response.status_code, response.content) == (200, b"")


def test_it_needs_a_token(client: Client, sent: Sent) -> None:
    response = client.head(f"/api/v1/transfers/{sent.transfer.pk}")
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")


def test_what_is_not_there_is_not_found(reader: Program) -> None:
    assert reader.ask("head", "/transfers/00000000-0000-0000-0000-000000000000").status_code == 404


def test_it_counts_as_a_request_of_its_token(reader: Program, settings: Any) -> None:
    settings.THROTTLES = {**settings.THROTTLES, "api": "1/minute"}
    assert reader.ask("head", "/me").status_code == 200
    assert reader.ask("head", "/me").status_code == 429


def test_where_nothing_is_read_it_is_refused_as_any_wrong_method(program: Program, sent: Sent) -> None:
    response = program.ask("head", f"/transfers/{sent.transfer.pk}/close")
    assert (response.status_code, response["Allow"]) == (405, "POST")
    sent.transfer.refresh_from_db()
    assert sent.transfer.closed_at is None


def test_a_refused_method_is_told_of_it(program: Program) -> None:
    response = program.ask("put", "/transfers", {})
    assert refusal(response) == (405, "method_not_allowed")
    assert response["Allow"] == "GET, HEAD, POST"
