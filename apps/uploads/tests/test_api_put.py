"""`curl -T big.iso https://host/`: one PUT makes a transfer with one file and answers with its link alone."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.uploads import appending
from apps.uploads.expiring import uploads_expire
from apps.uploads.models import Upload
from apps.uploads.tests.conftest import Body, staged
from apps.uploads.views import capacity

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def http(store_root: object) -> Client:
    return Client(raise_request_exception=False)


def put(http: Client, path: str = "/big.iso", body: bytes = b"hello", **headers: Any) -> Any:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.put(path, body, content_type="", headers={"Content-Length": str(len(body)), **told})


def one_line(response: Any, status: int) -> str:
    assert response.status_code == status
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    text = str(response.content.decode())
    assert text.endswith("\n")
    assert text.count("\n") == 1
    return text


def test_a_put_makes_a_transfer_with_one_file_and_answers_with_its_link_alone(http: Client) -> None:
    response = put(http)
    transfer = Transfer.objects.get()
    assert one_line(response, 201) == f"http://testserver/t/{transfer.token}\n"
    assert response["Location"] == f"http://testserver/t/{transfer.token}"
    file = transfer.files.get()
    assert (file.name, file.size, file.state) == ("big.iso", 5, FileState.PROCESSING)
    assert staged(Upload.objects.get().pk) == b"hello"


def test_the_secret_in_the_header_is_the_transfers(http: Client) -> None:
    response = put(http)
    transfer = Transfer.objects.with_secret(response["Transfer-Secret"]).get()
    answer = http.delete(f"/m/{transfer.token}", headers={"Transfer-Secret": response["Transfer-Secret"]})
    assert answer.status_code == 204
    assert not File.objects.exists()


def test_an_empty_file_is_sent(http: Client) -> None:
    one_line(put(http, body=b""), 201)
    assert File.objects.get().state == FileState.PROCESSING


@pytest.mark.parametrize("name", ["a b.txt", "100%.txt", "naïve é.txt", "x;y=1.txt", "שלום.txt", "#1?.txt"])
def test_the_name_is_the_decoded_last_part_of_the_address(http: Client, name: str) -> None:
    one_line(put(http, f"/{quote(name)}"), 201)
    assert File.objects.get().name == name


def test_a_sender_may_choose_in_headers(http: Client) -> None:
    headers: dict[str, Any] = {
        "Transfer_Password": "geheim",
        "Transfer_Expires_Days": "2",
        "Transfer_Title": "Plans",
    }
    one_line(put(http, **headers, Transfer_Download_Limit="3", Transfer_Message="hi"), 201)
    transfer = Transfer.objects.get()
    assert (transfer.title, transfer.message, transfer.download_limit) == ("Plans", "hi", 3)
    assert transfer.password
    assert transfer.expires_at < timezone.now() + timedelta(days=2, minutes=1)


def test_a_second_put_of_the_same_name_is_another_transfer(http: Client) -> None:
    assert one_line(put(http), 201) != one_line(put(http), 201)
    assert Transfer.objects.count() == 2


# What is refused


@pytest.mark.parametrize("path", ["/", "/..", "/a%0Ab", "/" + "x" * 256, "/%00"])
def test_an_address_without_a_possible_name_is_refused(http: Client, path: str) -> None:
    one_line(put(http, path), 400)
    assert not Transfer.objects.exists()


@pytest.mark.parametrize("path", ["/a/b", "/t/x/y", "/a%2Fb", "/big.iso/"])
def test_a_folder_in_the_address_leads_nowhere(http: Client, path: str) -> None:
    assert "leads nowhere" in one_line(put(http, path), 404)


def test_other_methods_find_no_such_address(http: Client) -> None:
    assert http.get("/big.iso").status_code == 404
    assert http.post("/big.iso").status_code == 404
    assert http.get("/admin").status_code == 301


@pytest.mark.parametrize("headers", [{"Transfer_Encoding": "chunked"}, {"Content_Length": ""}])
def test_a_body_of_unknown_length_is_refused(http: Client, headers: dict[str, Any]) -> None:
    status = 411 if "Transfer_Encoding" in headers else 201
    response = put(http, **headers) if status == 411 else put(http, body=b"", **headers)
    one_line(response, status)


def test_a_part_of_a_file_is_refused(http: Client) -> None:
    assert "cannot go on" in one_line(put(http, Content_Range="bytes 1-5/6"), 400)


@pytest.mark.parametrize("header", ["Transfer_Expires_Days", "Transfer_Download_Limit"])
@pytest.mark.parametrize("value", ["x", "0", "-1", "9" * 18])
def test_a_choice_that_is_none_is_refused(http: Client, header: str, value: str) -> None:
    one_line(put(http, **dict[str, Any]({header: value})), 400)
    assert not Transfer.objects.exists()


def test_a_file_over_the_limit_is_refused(http: Client, settings) -> None:
    settings.MAX_FILE_BYTES = 4
    assert "larger than this site takes" in one_line(put(http), 413)
    one_line(put(http, Content_Length="9" * 30), 413)
    assert not Transfer.objects.exists()


def test_a_file_over_the_senders_quota_is_refused(http: Client, settings) -> None:
    settings.MAX_ADDRESS_BYTES = 9
    one_line(put(http), 201)
    assert "more than you may have here" in one_line(put(http), 413)
    assert Transfer.objects.count() == 1


def test_a_stranger_is_refused_where_only_people_who_signed_in_may_send(http: Client, settings) -> None:
    settings.SEND_POLICY = "signed-in"
    assert "signed in" in one_line(put(http), 401)


def test_too_many_puts_are_refused_for_a_while(http: Client, settings) -> None:
    settings.THROTTLES = {**settings.THROTTLES, "transfer_create": "1/minute"}
    one_line(put(http), 201)
    response = put(http)
    one_line(response, 429)
    assert int(response["Retry-After"]) > 0


def test_a_full_store_refuses_and_keeps_nothing(http: Client, settings) -> None:
    settings.MIN_FREE_BYTES = 2**60
    assert "no space left" in one_line(put(http), 507)
    assert not Transfer.objects.exists()


def test_an_instance_with_its_hands_full_says_so(http: Client) -> None:
    taken = 0
    while capacity.slots.acquire(blocking=False):
        taken += 1
    try:
        one_line(put(http), 503)
    finally:
        for _ in range(taken):
            capacity.slots.release()


# What is cut off


def body_is(monkeypatch: pytest.MonkeyPatch, *blocks: Any) -> None:
    monkeypatch.setattr("apps.uploads.body.StreamBody", lambda stream, length: Body(*blocks))


def test_a_put_that_is_cut_off_leaves_nothing_behind(
    http: Client, monkeypatch: pytest.MonkeyPatch, settings, doorbell: list[Any]
) -> None:
    settings.COMMIT_BYTES = 1
    body_is(monkeypatch, b"he")
    assert "nothing of it was kept" in one_line(put(http), 400)
    assert not Transfer.objects.exists()
    assert not Upload.objects.exists()
    assert [name for name, _ in doorbell] == ["processing.discard"]


def test_half_a_put_can_be_seen_by_nobody(http: Client, monkeypatch: pytest.MonkeyPatch, settings) -> None:
    settings.COMMIT_BYTES = 1
    seen: list[tuple[int, int]] = []

    def look() -> None:
        seen.append((Transfer.objects.count(), Transfer.objects.hidden().count()))

    body_is(monkeypatch, b"he", look, b"llo")
    one_line(put(http), 201)
    assert seen == [(1, 1)]
    assert not Transfer.objects.hidden().exists()


def test_an_instance_that_stops_finishes_a_put_since_nobody_could_go_on_with_it(
    http: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr("apps.lifecycle.drain.should_hand_over", lambda: True)
    body_is(monkeypatch, b"he", None, b"llo")
    one_line(put(http), 201)
    assert File.objects.get().state == FileState.PROCESSING


def test_what_a_killed_instance_had_of_a_put_expires_with_its_transfer(
    http: Client, monkeypatch: pytest.MonkeyPatch, settings
) -> None:
    """As if killed: no cleaning up after the error."""
    settings.COMMIT_BYTES = 1

    def killed() -> None:
        raise OperationalError("gone")

    monkeypatch.setattr("apps.uploads.putting._forget", lambda transfer: None)
    body_is(monkeypatch, b"he", killed)
    assert put(http).status_code == 503
    upload = Upload.objects.get()
    assert upload.offset == 2
    assert upload.expires_at < timezone.now() + timedelta(minutes=3)
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert uploads_expire() == 1
    assert not Transfer.objects.exists()
