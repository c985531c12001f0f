"""POST /send: the form of a browser without script makes a transfer in one request, and its answer has the link."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.utils import timezone

from apps.accounts.models import User
from apps.transfers.models import Transfer
from apps.transfers.rules import FileState
from apps.uploads.models import Upload
from apps.uploads.tests.conftest import Body, staged
from apps.uploads.views import capacity, multipart

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def http(store_root: object) -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice", "alice@example.com", "correct horse")


def file(name: str = "a.txt", content: bytes = b"hello", kind: str = "text/plain") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, kind)


def send(http: Client, *files: SimpleUploadedFile, **fields: str) -> Any:
    return http.post("/send", {"files": list(files or [file()]), **fields})


def refused(response: Any, status: int, words: str) -> None:
    assert response.status_code == status
    assert words in response.content.decode()
    assert not Transfer.objects.exists()
    assert not Transfer.objects.hidden().exists()


def test_a_form_makes_a_transfer_and_answers_with_a_page_that_has_the_link(http: Client) -> None:
    response = send(http, file("a.txt", b"hello"), file("b.bin", b"other bytes", "application/x-thing"))
    assert response.status_code == 201
    transfer = Transfer.objects.get()
    assert f"http://testserver/t/{transfer.token}" in response.content.decode()
    rows = [(row.name, row.size, row.claimed_type, row.state) for row in transfer.files.order_by("name")]
    assert rows == [
        ("a.txt", 5, "text/plain", FileState.PROCESSING),
        ("b.bin", 11, "application/x-thing", FileState.PROCESSING),
    ]
    assert staged(Upload.objects.get(file__name="b.bin").pk) == b"other bytes"


def test_the_page_has_the_address_to_manage_it_by_and_no_cache_keeps_it(http: Client) -> None:
    response = send(http)
    token, secret = re.findall(r"http://testserver/m/([\w-]+)#([\w-]+)", response.content.decode())[0]
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "no-referrer"
    assert http.delete(f"/m/{token}", headers={"Transfer-Secret": secret}).status_code == 204


def test_what_was_chosen_reaches_the_transfer(http: Client) -> None:
    fields = {
        "title": "Plans",
        "message": "hi",
        "password": "geheim",
        "expires_days": "2",
        "download_limit": "3",
    }
    assert send(http, **fields).status_code == 201
    transfer = Transfer.objects.get()
    assert (transfer.title, transfer.message, transfer.download_limit) == ("Plans", "hi", 3)
    assert transfer.password
    assert transfer.expires_at < timezone.now() + timedelta(days=2, minutes=1)


def test_fields_that_were_left_empty_are_not_chosen(http: Client) -> None:
    fields = {"title": "", "message": "", "password": "", "expires_days": "", "download_limit": ""}
    assert send(http, **fields).status_code == 201
    transfer = Transfer.objects.get()
    assert (transfer.title, transfer.password, transfer.download_limit) == ("", "", None)


def test_an_empty_file_is_sent(http: Client) -> None:
    assert send(http, file("empty.txt", b""), file()).status_code == 201
    assert Transfer.objects.get().files.count() == 2


def test_a_signed_in_sender_owns_the_transfer(http: Client, alice: User) -> None:
    http.force_login(alice)
    assert send(http).status_code == 201
    assert Transfer.objects.get().owner == alice


def test_the_browser_that_sent_it_keeps_control(http: Client) -> None:
    http.get("/")
    assert send(http).status_code == 201
    assert http.get(f"/m/{Transfer.objects.get().token}/files").status_code == 200


# What is refused


def test_a_form_without_our_token_is_refused(store_root: object) -> None:
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    refused(send(strict), 403, "This page has been open for too long")


def test_a_form_with_our_token_is_taken(store_root: object) -> None:
    strict = Client(enforce_csrf_checks=True)
    token = strict.get("/").cookies["csrftoken"].value
    assert send(strict, csrfmiddlewaretoken=token).status_code == 201


def test_a_form_without_a_file_is_refused(http: Client) -> None:
    refused(http.post("/send", {"title": "nothing"}), 400, "Choose at least one file")


@pytest.mark.parametrize("field", ["expires_days", "download_limit"])
@pytest.mark.parametrize("value", ["x", "0", "-1", "9" * 18])
def test_a_choice_that_is_none_is_refused(http: Client, field: str, value: str) -> None:
    refused(send(http, **{field: value}), 400, "")


def large() -> SimpleUploadedFile:
    return file(content=b"x" * (1001 + multipart.FIELDS_BYTES))


def test_a_form_over_the_limit_is_refused_and_nothing_of_its_files_is_kept(
    http: Client, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.PLAIN_FORM_MAX_BYTES = 1000
    monkeypatch.setattr(multipart, "load_handler", lambda *_: pytest.fail("the file was kept"))
    refused(send(http, large()), 413, "more than a form")


def test_a_form_so_large_that_it_is_not_read_is_refused_with_a_page_that_says_so(
    http: Client, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.PLAIN_FORM_MAX_BYTES = 1000
    monkeypatch.setattr(multipart, "REFUSED_BYTES", 1000)
    response = send(http, large())
    refused(response, 413, "more than a form")
    assert "plain-title" not in response.content.decode()


def test_a_form_over_the_limit_that_arrives_too_slowly_is_refused_for_its_size(
    http: Client, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.PLAIN_FORM_MAX_BYTES = 1000
    monkeypatch.setattr(multipart, "REFUSED_SECONDS", 0.0)
    refused(send(http, large()), 413, "more than a form")


def test_a_form_of_unknown_length_is_refused(http: Client) -> None:
    body = encode_multipart(BOUNDARY, {"files": file()})
    response = http.generic("POST", "/send", body, MULTIPART_CONTENT, headers={"Content-Length": ""})
    refused(response, 411, "how long")


def test_anything_but_a_form_with_files_is_refused(http: Client) -> None:
    refused(http.post("/send", "a=b", content_type="application/x-www-form-urlencoded"), 415, "as a form")


def test_a_body_that_is_no_form_is_refused(http: Client) -> None:
    refused(http.post("/send", b"nonsense", content_type="multipart/form-data"), 400, "cannot be read")


def test_a_form_with_more_files_than_are_taken_is_refused(http: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 2
    refused(send(http, file(), file(), file()), 400, "too many files")


def test_a_form_with_more_text_than_is_taken_is_refused(http: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    refused(send(http, message="x" * 200), 413, "more text")


def test_a_stranger_is_refused_where_only_people_who_signed_in_may_send(http: Client, settings: Any) -> None:
    settings.SEND_POLICY = "signed-in"
    refused(send(http), 401, "sign in")


def test_too_many_forms_are_refused_for_a_while(http: Client, settings: Any) -> None:
    settings.THROTTLES = {**settings.THROTTLES, "transfer_create": "1/minute"}
    assert send(http).status_code == 201
    response = send(http)
    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0


def test_files_over_the_senders_quota_are_refused_and_nothing_is_kept(http: Client, settings: Any) -> None:
    settings.MAX_ADDRESS_BYTES = 9
    refused(send(http, file("a"), file("b")), 413, "more than you may have here")


def test_more_files_than_a_transfer_holds_are_refused(http: Client, settings: Any) -> None:
    settings.MAX_TRANSFER_FILES = 1
    refused(send(http, file("a"), file("b")), 409, "as many files")


def test_a_full_store_refuses_and_keeps_nothing(http: Client, settings: Any) -> None:
    settings.MIN_FREE_BYTES = 2**60
    refused(send(http), 507, "no space left")


def test_an_instance_that_carries_as_many_uploads_as_it_may_says_so(http: Client) -> None:
    taken = 0
    while capacity.slots.acquire(blocking=False):
        taken += 1
    try:
        refused(send(http), 503, "hands full")
    finally:
        for _ in range(taken):
            capacity.slots.release()
    assert send(http).status_code == 201


def test_no_more_forms_are_read_at_once_than_there_is_room_for(http: Client) -> None:
    taken = 0
    while multipart._forms.acquire(blocking=False):
        taken += 1
    try:
        refused(send(http), 503, "hands full")
    finally:
        for _ in range(taken):
            multipart._forms.release()
    assert taken == 2


# How it arrives


def arrives_as(monkeypatch: pytest.MonkeyPatch, *blocks: Any) -> None:
    monkeypatch.setattr("apps.uploads.body.StreamBody", lambda stream, length: Body(*blocks))


WHOLE = encode_multipart(BOUNDARY, {"files": file()})


def post(http: Client, body: bytes) -> Any:
    return http.generic("POST", "/send", body, MULTIPART_CONTENT)


def test_a_form_that_was_cut_off_is_refused_and_not_taken_for_a_smaller_file(
    http: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrives_as(monkeypatch, WHOLE[:-60])
    refused(post(http, WHOLE), 400, "did not arrive whole")


def test_a_form_that_stands_still_for_too_long_is_given_up(
    http: Client, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.UPLOAD_IDLE_SECONDS = 0.0
    arrives_as(monkeypatch, WHOLE[:60], None, WHOLE[60:])
    refused(post(http, WHOLE), 400, "did not arrive whole")


def test_a_form_that_takes_for_ever_is_given_up(http: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "FORM_SECONDS", 0.0)
    refused(post(http, WHOLE), 400, "did not arrive whole")


def test_no_database_connection_is_held_while_the_bytes_arrive(
    http: Client, monkeypatch: pytest.MonkeyPatch, alice: User
) -> None:
    http.force_login(alice)
    held: list[bool] = []
    arrives_as(monkeypatch, WHOLE[:60], lambda: held.append(connection.connection is not None), WHOLE[60:])
    assert post(http, WHOLE).status_code == 201
    assert held == [False]


def test_the_browser_that_sent_the_form_finds_the_transfer_in_its_list(http: Client) -> None:
    http.get("/")
    send(http, title="Sent by form")
    assert "Sent by form" in http.get("/mine").content.decode()
    assert "Sent by form" not in Client().get("/mine").content.decode()
