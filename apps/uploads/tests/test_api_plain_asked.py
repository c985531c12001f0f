"""POST /r/<token>/send: a guest who was asked for files sends them without script, by the same form."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.throttling.blocking import block_create
from apps.transfers.asking import request_close, request_create
from apps.transfers.models import FileRequest, LinkMail, Transfer
from apps.transfers.rules import FileState, MailKind
from apps.uploads.models import Upload
from apps.uploads.tests.conftest import staged
from apps.uploads.tests.test_api_plain_again import FormPage, given_back
from apps.uploads.views import plain
from apps.uploads.views.multipart import form_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def http(store_root: object) -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice", "alice@example.com", first_name="Alice", last_name="Ames")


@pytest.fixture
def asked(alice: User) -> FileRequest:
    return request_create(owner=alice, title="Photos", message="All of them")


def send(http: Client, asked: FileRequest, *names: str, **fields: str) -> Any:
    files = [SimpleUploadedFile(name, b"hello") for name in names]
    said = {"sender_name": "Bob", "message": "Here", **fields}
    return http.post(f"/r/{asked.token}/send", {**said, "files": files})


def test_the_page_has_the_form_for_who_has_no_script(http: Client, asked: FileRequest) -> None:
    page = http.get(f"/r/{asked.token}").content.decode()
    plain = page[page.index("<noscript>") : page.index("</noscript>")]
    form = FormPage(plain)
    assert form.action == f"/r/{asked.token}/send"
    assert set(form.fields) == {"csrfmiddlewaretoken", "files", "sender_name", "message"}
    for said in ("Photos", "All of them", "Alice Ames asks you for"):
        assert said in plain


def test_the_files_go_to_whoever_asked_who_is_told(http: Client, asked: FileRequest, alice: User) -> None:
    response = send(http, asked, "a.txt", "b.txt")
    assert response.status_code == 201
    transfer = Transfer.objects.told().get()
    assert f"http://testserver/t/{transfer.token}" in response.content.decode()
    assert "Alice Ames gets your files" in response.content.decode()
    assert (transfer.owner, transfer.request, transfer.title) == (alice, asked, "Photos")
    assert (transfer.sender_name, transfer.message) == ("Bob", "Here")
    assert [file.state for file in transfer.files.all()] == [FileState.PROCESSING] * 2
    assert {staged(upload.pk) for upload in Upload.objects.all()} == {b"hello"}
    assert LinkMail.objects.get().kind == MailKind.RECEIVED


def test_whoever_asked_finds_them_under_received(http: Client, asked: FileRequest, alice: User) -> None:
    send(http, asked, "a.txt")
    http.force_login(alice)
    page = http.get("/mine/received").content.decode()
    assert "from Bob" in page
    assert "Photos" in page


def test_the_room_is_the_owners(http: Client, asked: FileRequest, alice: User) -> None:
    send(http, asked, "a.txt")
    assert (Upload.objects.get().owner, Upload.objects.get().address) == (alice, "")


def test_who_may_not_send_otherwise_may_answer(http: Client, asked: FileRequest, settings: Any) -> None:
    settings.SEND_POLICY = "staff"
    assert send(http, asked, "a.txt").status_code == 201


def test_a_guest_chooses_nothing_but_what_they_say(http: Client, asked: FileRequest) -> None:
    chosen = {"title": "Mine", "password": "geheim", "expires_days": "1", "download_limit": "1"}
    assert send(http, asked, "a.txt", **chosen).status_code == 201
    made = Transfer.objects.get()
    assert (made.title, made.password, made.download_limit) == ("Photos", "", None)


# What is refused


def test_a_name_that_is_too_long_comes_back_in_the_form(http: Client, asked: FileRequest) -> None:
    response = send(http, asked, "a.txt", sender_name="x" * 101)
    page = given_back(response, 400, "sender_name", "at most 100 characters")
    assert page.values["sender_name"] == "x" * 101
    assert page.values["message"] == "Here"
    assert page.action == f"/r/{asked.token}/send"
    assert "Alice Ames asks you for" in response.content.decode()


def test_a_message_that_is_too_long_comes_back_in_the_form(http: Client, asked: FileRequest) -> None:
    given_back(send(http, asked, "a.txt", message="x" * 5001), 400, "message", "at most 5000")


def test_no_file_comes_back_in_the_form(http: Client, asked: FileRequest) -> None:
    given_back(send(http, asked), 400, "files", "Choose at least one file")


def test_more_files_than_a_transfer_holds_come_back_in_the_form(
    http: Client, asked: FileRequest, settings: Any
) -> None:
    settings.MAX_TRANSFER_FILES = 1
    given_back(send(http, asked, "a.txt", "b.txt"), 409, "files", "as many files")


def test_more_than_the_owners_quota_comes_back_in_the_form(
    http: Client, asked: FileRequest, settings: Any
) -> None:
    settings.MAX_ACCOUNT_BYTES = 4
    given_back(send(http, asked, "a.txt"), 413, "files", "more than")


def refused(response: Any, status: int, words: str) -> None:
    assert response.status_code == status
    assert words in response.content.decode()
    assert not Transfer.objects.exists()


def test_a_closed_request_takes_nothing(http: Client, asked: FileRequest) -> None:
    request_close(request=asked)
    refused(send(http, asked, "a.txt"), 410, "This request has ended")


def test_an_expired_request_takes_nothing(http: Client, asked: FileRequest) -> None:
    FileRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    refused(send(http, asked, "a.txt"), 410, "This request has ended")


def test_a_request_that_is_closed_while_the_files_arrive_takes_nothing(
    http: Client, asked: FileRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closing(*args: Any, **more: Any) -> Any:
        request_close(request=asked)
        return form_of(*args, **more)

    monkeypatch.setattr(plain, "form_of", closing)
    refused(send(http, asked, "a.txt"), 410, "This request has ended")


def test_an_unknown_request_is_not_there(http: Client, asked: FileRequest) -> None:
    asked.token = "x" * 22
    refused(send(http, asked, "a.txt"), 404, "leads nowhere")


def test_a_blocked_guest_is_refused(http: Client, asked: FileRequest) -> None:
    block_create(address="127.0.0.1", shown="127.0.0.1", reason="spam", by="root")
    refused(send(http, asked, "a.txt"), 403, "")


def test_too_many_are_refused_for_a_while(http: Client, asked: FileRequest, settings: Any) -> None:
    settings.THROTTLES = {**settings.THROTTLES, "transfer_create": "1/minute"}
    assert send(http, asked, "a.txt").status_code == 201
    assert send(http, asked, "a.txt").status_code == 429


def test_a_form_without_our_token_is_refused(store_root: object, asked: FileRequest) -> None:
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    refused(send(strict, asked, "a.txt"), 403, "open for too long")


def test_a_form_with_our_token_is_taken(store_root: object, asked: FileRequest) -> None:
    strict = Client(enforce_csrf_checks=True)
    token = strict.get(f"/r/{asked.token}").cookies["csrftoken"].value
    assert send(strict, asked, "a.txt", csrfmiddlewaretoken=token).status_code == 201
