"""The API's description: valid, complete, kept by every answer, and readable under our content policy."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from apps.api.api import openapi
from apps.api.documenting import error_classes
from apps.api.tests.program import Program, refusal
from apps.transfers.asking import request_create
from apps.transfers.tests.cast import Sent

OPERATIONS = [
    (operation["operationId"], method, path, operation)
    for path, methods in openapi()["paths"].items()
    for method, operation in methods.items()
]
BODIES: dict[str, Any] = {
    "transfer_create": {"title": "Plans"},
    "transfer_change": {"title": "Better"},
    "request_create": {"title": "Photos"},
}


def ask(program: Program, method: str, path: str, operation_id: str, sent: Sent) -> Any:
    """Each operation as its description says, on a transfer with one file and a request."""
    file, asked = sent.add(), request_create(owner=program.user, title="Photos")
    ids = {"transfer_id": sent.transfer.pk, "file_id": file.pk, "request_id": asked.pk}
    filled = path.format(**ids).removeprefix("/api/v1")
    return program.ask(method, filled, BODIES.get(operation_id))


def check(answer: Any, schema: dict[str, Any]) -> None:
    """Whether an answer is what the description promises; it may not hold fields that nobody described."""
    strict = json.loads(json.dumps(openapi()["components"]))
    for each in strict["schemas"].values():
        if each.get("type") == "object" and "additionalProperties" not in each:
            each["additionalProperties"] = False
    Draft202012Validator(schema | {"components": strict}).validate(answer)


def test_it_is_valid_openapi(client: Client) -> None:
    validate(client.get("/api/v1/openapi.json").json())


def test_it_says_the_same_in_every_language(client: Client) -> None:
    german = client.get("/api/v1/openapi.json", headers={"Accept-Language": "de"}).content
    assert german == client.get("/api/v1/openapi.json").content


@pytest.mark.parametrize(
    ("operation_id", "method", "path", "operation"), OPERATIONS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_every_operation_answers_as_described(
    program: Program, sent: Sent, operation_id: str, method: str, path: str, operation: dict[str, Any]
) -> None:
    response = ask(program, method, path, operation_id, sent)
    described = operation["responses"][str(response.status_code)]
    assert response.status_code < 300
    if "content" in described:
        check(response.json(), described["content"]["application/json"]["schema"])
    else:
        assert response.content == b""


@pytest.mark.parametrize(
    ("operation_id", "method", "path", "operation"), OPERATIONS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_every_operation_refuses_without_a_token_as_described(
    client: Client, sent: Sent, operation_id: str, method: str, path: str, operation: dict[str, Any]
) -> None:
    some = sent.transfer.pk
    filled = path.format(transfer_id=some, file_id=some, request_id=some)
    response = getattr(client, method)(filled)
    assert refusal(response) == (401, "token_required")
    described = operation["responses"]["401"]["content"]["application/json"]
    assert "token_required" in described["examples"]
    check(response.json(), described["schema"])


def test_every_operation_needs_a_token() -> None:
    assert [name for name, _, _, operation in OPERATIONS if not operation.get("security")] == []


def test_every_code_is_documented_with_its_own_status() -> None:
    known = error_classes()
    for _, _, _, operation in OPERATIONS:
        for status, response in operation["responses"].items():
            for code in response.get("content", {}).get("application/json", {}).get("examples", {}):
                assert str(known[code].status) == status


@pytest.mark.parametrize(
    "code",
    [
        "not_found",
        "token_scope",
        "transfer_expired",
        "invalid_transfer",
        "cursor_invalid",
        "busy",
        "method_not_allowed",
    ],
)
def test_codes_that_the_other_tests_meet_are_documented_somewhere(code: str) -> None:
    assert code in json.dumps(openapi()["paths"])


def test_a_wrong_method_is_refused_in_the_same_shape(program: Program) -> None:
    response = program.ask("put", "/transfers", {})
    assert refusal(response) == (405, "method_not_allowed")
    assert set(response["Allow"].split(", ")) >= {"GET", "POST"}


def test_an_address_that_leads_nowhere_is_refused_in_the_same_shape(program: Program) -> None:
    assert refusal(program.get("/nope")) == (404, "not_found")


def test_a_browser_gets_json_too(program: Program) -> None:
    response = program.get("/nope", Accept="text/html")
    assert response["Content-Type"] == "application/json"


class TestPage:
    def test_it_names_every_operation_and_every_code(self, client: Client) -> None:
        page = client.get("/api/v1/docs").text
        for operation_id, _, path, operation in OPERATIONS:
            assert f'id="{operation_id}"' in page
            assert path in page
            assert operation["summary"] in page
        for code in set(re.findall(r'"code": "(\w+)"', json.dumps(openapi()["paths"]))):
            assert f"<code>{code}</code>" in page

    def test_every_shape_that_it_names_is_on_it(self, client: Client) -> None:
        page = client.get("/api/v1/docs").text
        wanted = set(re.findall(r'href="#([\w-]+)"', page)) - {"main"}
        assert wanted
        assert wanted <= set(re.findall(r'id="([\w-]+)"', page))

    def test_it_runs_under_the_sites_strict_policy(self, client: Client) -> None:
        response = client.get("/api/v1/docs")
        assert "unsafe" not in response["Content-Security-Policy"]
        assert " style=" not in response.text
        assert "<script>" not in response.text
        assert set(re.findall(r'(?:src|href)="(https?:)?//', response.text)) == set()

    def test_it_asks_the_database_nothing(self, client: Client, db: None, django_assert_num_queries) -> None:
        with django_assert_num_queries(0):
            client.get("/api/v1/docs")
