"""A form without script that is refused comes back: filled in as it was, with what is wrong beside its field."""

from html.parser import HTMLParser
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.common.metrics import REFUSALS
from apps.transfers.models import Transfer
from apps.uploads.views import multipart

pytestmark = pytest.mark.django_db(transaction=True)
TYPED = {
    "title": "Plans & <more>",
    "message": "Hello\nyou",
    "expires_days": "3",
    "password": "geheim",
    "download_limit": "4",
}


class FormPage(HTMLParser):
    """The fields of a page's form by name, and every element's attributes and text by id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, dict[str, str | None]] = {}
        self.values: dict[str, str | None] = {}
        self.texts: dict[str, str] = {}
        self.action = ""
        self._into = self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        name = told.get("name") or ""
        if tag == "form" and told.get("enctype"):
            self.action = told.get("action") or ""
        if tag in ("input", "textarea", "select"):
            self.fields[name] = told
            self.values[name] = told.get("value") or ""
        if tag == "select":
            self._select = name
        if tag == "option" and "selected" in told:
            self.values[self._select] = told["value"]
        self._into = name if tag == "textarea" else told.get("id") or self._into
        self.texts.setdefault(self._into, "")

    def handle_data(self, data: str) -> None:
        if self._into in self.texts:
            self.texts[self._into] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.values[self._into] = self.texts[self._into]
        self._into = ""

    def said_of(self, name: str) -> str:
        """What the descriptions of a field say together."""
        return " ".join(
            self.texts[each].strip() for each in (self.fields[name]["aria-describedby"] or "").split()
        )


@pytest.fixture
def http(store_root: object) -> Client:
    return Client(raise_request_exception=False)


def file(name: str = "a.txt", content: bytes = b"hello") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def send(http: Client, *files: SimpleUploadedFile, path: str = "/send", **changes: str) -> Any:
    return http.post(path, {**TYPED, **changes, "files": list(files)})


def given_back(response: Any, status: int, field: str, words: str) -> FormPage:
    assert response.status_code == status
    assert not Transfer.objects.exists()
    page = FormPage(response.content.decode())
    assert [name for name, told in page.fields.items() if "aria-invalid" in told] == [field]
    assert words in page.said_of(field)
    assert "autofocus" in page.fields[field]
    return page


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"title": "x" * 201}, "title", "at most 200 characters"),
        ({"message": "x" * 5001}, "message", "at most 5000 characters"),
        ({"password": "x" * 201}, "password", "at most 200 characters"),
        ({"expires_days": "soon"}, "expires_days", "whole number"),
        ({"expires_days": "0"}, "expires_days", "at least 1 day"),
        ({"expires_days": "1000"}, "expires_days", "at most"),
        ({"download_limit": "x"}, "download_limit", "whole number"),
        ({"download_limit": "0"}, "download_limit", "between 1 and"),
        ({"download_limit": "1000001"}, "download_limit", "between 1 and"),
    ],
)
def test_a_choice_that_cannot_be_is_told_at_its_field(
    http: Client, changes: dict[str, str], field: str, words: str
) -> None:
    given_back(send(http, file(), **changes), 400, field, words)


def test_no_file_is_told_at_the_field_for_files(http: Client) -> None:
    given_back(send(http), 400, "files", "Choose at least one file")


def test_a_name_that_no_file_can_have_is_told_at_the_field_for_files(http: Client) -> None:
    given_back(send(http, file(" ")), 400, "files", "name that cannot be used")


def test_more_than_a_form_takes_is_told_at_the_field_for_files_with_what_to_do(
    http: Client, settings: Any
) -> None:
    settings.PLAIN_FORM_MAX_BYTES = 1000
    large = file(content=b"x" * (1001 + multipart.FIELDS_BYTES))
    page = given_back(send(http, large), 413, "files", "more than a form without JavaScript may send")
    assert "Send fewer or smaller files" in page.said_of("files")
    assert page.values["title"] == TYPED["title"]


@pytest.mark.parametrize(
    ("setting", "status", "words"),
    [
        ("MAX_FILE_BYTES", 413, "larger than this site takes"),
        ("MAX_TRANSFER_BYTES", 413, "files together are larger"),
        ("MAX_ADDRESS_BYTES", 413, "more than you may have here"),
        ("MAX_TRANSFER_FILES", 409, "as many files as it may have"),
    ],
)
def test_what_is_too_much_for_this_site_is_told_at_the_field_for_files(
    http: Client, settings: Any, setting: str, status: int, words: str
) -> None:
    setattr(settings, setting, 1)
    given_back(
        send(http, file(content=b"h"), file("b.txt", b"ello"))
        if setting != "MAX_FILE_BYTES"
        else send(http, file()),
        status,
        "files",
        words,
    )


def test_what_was_typed_is_there_again_but_for_the_password_and_the_files(http: Client) -> None:
    response = send(http, file(), download_limit="0")
    page = given_back(response, 400, "download_limit", "between 1 and")
    typed = {**TYPED, "download_limit": "0"}
    assert {name: page.values[name] for name in typed} == {**typed, "password": ""}
    assert "geheim" not in response.content.decode()
    assert "Choose the files again" in page.said_of("files")
    assert "Type the password again" in page.said_of("password")


def test_the_form_that_comes_back_can_be_sent(http: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    token = strict.get("/").cookies["csrftoken"].value
    page = given_back(
        send(strict, file(), download_limit="0", csrfmiddlewaretoken=token), 400, "download_limit", ""
    )
    fields = {**page.values, "download_limit": "1", "password": "geheim", "files": [file()]}
    assert strict.post(page.action, fields).status_code == 201
    made = Transfer.objects.get()
    assert (made.title, made.download_limit, bool(made.password)) == (TYPED["title"], 1, True)


def test_a_form_that_is_refused_is_private_counted_and_known_by_its_code(http: Client) -> None:
    before = REFUSALS.labels("invalid_transfer")._value.get()
    response = send(http, file(), download_limit="0")
    assert response["Cache-Control"] == "no-store"
    assert REFUSALS.labels("invalid_transfer")._value.get() == before + 1


def test_a_program_is_told_in_json_as_everywhere(http: Client) -> None:
    fields = {**TYPED, "download_limit": "0", "files": [file()]}
    response = http.post("/send", fields, headers={"Accept": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_transfer")
    assert response.json()["error"]["field"] == "download_limit"


def test_a_program_that_sends_too_much_is_told_before_its_body_is_read(
    http: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PLAIN_FORM_MAX_BYTES = 1000
    monkeypatch.setattr(multipart, "_parse", lambda *_: pytest.fail("the body was read"))
    large = file(content=b"x" * (1001 + multipart.FIELDS_BYTES))
    response = http.post("/send", {"files": [large]}, headers={"Accept": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "form_too_large")


def test_a_form_over_the_limit_needs_our_token_too(store_root: object, settings: Any) -> None:
    settings.PLAIN_FORM_MAX_BYTES = 1000
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    large = file(content=b"x" * (1001 + multipart.FIELDS_BYTES))
    assert send(strict, large).status_code == 403
