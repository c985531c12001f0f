"""The tus protocol over HTTP at /files/: core, creation, creation-with-upload, termination, expiration."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django.utils.http import parse_http_date

from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.uploads.models import Upload
from apps.uploads.tests.client import Tus, code_of, metadata, path_of
from apps.uploads.tests.conftest import SECRET, staged
from apps.uploads.views import capacity

pytestmark = pytest.mark.django_db(transaction=True)
# What works


def test_an_upload_is_created_appended_to_and_asked_for(tus: Tus) -> None:
    created = tus.create(10)
    assert created.status_code == 201
    assert created["Upload-Offset"] == "0"
    assert created["Tus-Resumable"] == "1.0.0"
    url = path_of(created)
    assert tus.patch(url, b"hello").status_code == 204
    head = tus.call("HEAD", url)
    assert (head.status_code, head["Upload-Offset"], head["Upload-Length"]) == (200, "5", "10")
    assert head["Cache-Control"] == "no-store"
    assert tus.patch(url, b"world", 5)["Upload-Offset"] == "10"
    assert staged(Upload.objects.get().pk) == b"helloworld"


def test_an_upload_that_names_no_transfer_makes_one(tus: Tus) -> None:
    created = tus.create()
    transfer = Transfer.objects.get()
    assert created["Transfer-URL"] == f"http://testserver/t/{transfer.token}"
    assert Transfer.objects.with_secret(created["Transfer-Secret"]).get() == transfer


def test_an_upload_that_names_a_transfer_is_added_to_it(tus: Tus, transfer: Transfer) -> None:
    created = tus.create(Upload_Metadata=metadata(filename="b.txt", transfer=SECRET))
    assert created.status_code == 201
    assert "Transfer-URL" not in created
    assert transfer.files.get().name == "b.txt"


def test_the_senders_secret_is_not_given_back_by_a_head(tus: Tus, transfer: Transfer) -> None:
    created = tus.create(Upload_Metadata=metadata(filename="b.txt", transfer=SECRET))
    head = tus.call("HEAD", path_of(created))
    assert head["Upload-Metadata"] == metadata(filename="b.txt")


def test_creation_with_upload_takes_the_first_bytes(tus: Tus) -> None:
    created = tus.create(10, b"hello")
    assert (created.status_code, created["Upload-Offset"]) == (201, "5")


def test_creation_with_the_whole_body_is_all_it_takes(tus: Tus) -> None:
    assert tus.create(5, b"hello")["Upload-Offset"] == "5"
    assert File.objects.get().state == FileState.PROCESSING


def test_an_empty_file_is_complete_at_creation(tus: Tus) -> None:
    assert tus.create(0).status_code == 201
    assert File.objects.get().state == FileState.PROCESSING


def test_an_unfinished_upload_says_when_it_expires(tus: Tus, settings) -> None:
    created = tus.create()
    expires = parse_http_date(created["Upload-Expires"])
    assert abs(expires - timezone.now().timestamp() - settings.UPLOAD_EXPIRES_SECONDS) < 60


def test_a_terminated_upload_is_gone(tus: Tus) -> None:
    url = path_of(tus.create())
    assert tus.call("DELETE", url).status_code == 204
    assert tus.call("HEAD", url).status_code == 404
    assert not File.objects.exists()


def test_a_method_may_be_named_in_a_header(tus: Tus) -> None:
    url = path_of(tus.create())
    response = tus.call("POST", url, b"hello", Upload_Offset="0", X_HTTP_Method_Override="PATCH")
    assert (response.status_code, response["Upload-Offset"]) == (204, "5")


@pytest.mark.parametrize("name", ['he said "hi".txt', "שלום\u200f.txt", "evil\u202egnp.exe", "x" * 255])
def test_an_unusual_name_is_taken_and_made_safe(tus: Tus, name: str) -> None:
    assert tus.create(name=name).status_code == 201
    kept = File.objects.get().name
    assert "\u202e" not in kept
    assert kept


# What is refused


@pytest.mark.parametrize("version", ["", "0.2.2", "2.0.0"])
def test_another_version_of_the_protocol_is_refused(tus: Tus, version: str) -> None:
    response = tus.create(Tus_Resumable=version)
    assert (response.status_code, response["Tus-Version"]) == (412, "1.0.0")


@pytest.mark.parametrize("length", ["", "-1", "1.5", "many", "\u0663", "1_0"])
def test_a_length_that_is_none_is_refused(tus: Tus, length: str) -> None:
    response = tus.create(length)
    assert (response.status_code, code_of(response)) == (400, "upload_length_invalid")


def test_a_file_over_the_limit_is_refused(tus: Tus, settings) -> None:
    settings.MAX_FILE_BYTES = 100
    response = tus.create(101)
    assert (response.status_code, code_of(response)) == (413, "file_too_large")
    assert not Transfer.objects.exists()


@pytest.mark.parametrize("length", [10**17, 10**18 - 1, "9" * 22, "9" * 400])
def test_an_absurd_length_is_refused(tus: Tus, length: int | str) -> None:
    response = tus.create(length)
    assert (response.status_code, code_of(response)) == (413, "file_too_large")


def test_a_chunked_body_is_refused_with_a_clear_word(tus: Tus) -> None:
    url = path_of(tus.create())
    response = tus.patch(url, b"hello", Transfer_Encoding="chunked")
    assert (response.status_code, code_of(response)) == (411, "upload_length_required")
    assert tus.create(5, b"hello", Transfer_Encoding="chunked").status_code == 411


def test_a_body_of_absurd_length_is_refused(tus: Tus) -> None:
    url = path_of(tus.create())
    response = tus.call("PATCH", url, b"hello", Upload_Offset="0", Content_Length="9" * 20)
    assert (response.status_code, code_of(response)) == (413, "upload_too_long")


@pytest.mark.parametrize("header", ["filename \u00e9", "filename\u00a0YQ==", "\u00a0filename YQ=="])
def test_metadata_that_is_not_ascii_is_refused(tus: Tus, header: str) -> None:
    response = tus.create(Upload_Metadata=header)
    assert (response.status_code, code_of(response)) == (400, "upload_metadata_invalid")


def test_only_a_few_heads_wait_for_a_holder_and_the_others_ask_again(tus: Tus, settings) -> None:
    settings.LEASE_WAIT_SECONDS = 5.0
    url = path_of(tus.create())
    Upload.objects.update(lease_token=uuid.uuid4(), lease_until=timezone.now() + timedelta(seconds=60))
    taken = 0
    while capacity.waiters.acquire(blocking=False):
        taken += 1
    began = time.monotonic()
    try:
        response = tus.call("HEAD", url)
    finally:
        for _ in range(taken):
            capacity.waiters.release()
    assert (response.status_code, response["Retry-After"]) == (423, "1")
    assert time.monotonic() - began < 2
    assert Upload.objects.get().lease_wanted


def test_terminating_while_bytes_arrive_is_refused_or_done_but_never_an_error(tus: Tus) -> None:
    for _ in range(20):
        url = path_of(tus.create(3))
        with ThreadPoolExecutor(2) as pool:
            appended = pool.submit(_appended, tus, url)
            ended = tus.call("DELETE", url).status_code
            assert appended.result() in {204, 404, 409, 423}
        assert ended in {204, 423}


def _appended(tus: Tus, url: str) -> int:
    try:
        return int(tus.patch(url, b"abc").status_code)
    finally:
        connection.close()


@pytest.mark.parametrize("header", ["", "filename", "filename ???", "filename //79", "other YQ=="])
def test_metadata_without_a_readable_name_is_refused(tus: Tus, header: str) -> None:
    response = tus.create(Upload_Metadata=header)
    assert (response.status_code, code_of(response)) == (400, "upload_metadata_invalid")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\x00b", "a\nb", "x" * 5000])
def test_a_name_no_file_can_have_is_refused(tus: Tus, name: str) -> None:
    response = tus.create(name=name)
    assert (response.status_code, code_of(response)) == (400, "upload_metadata_invalid")
    assert not Transfer.objects.exists()


def test_a_foreign_secret_opens_no_transfer(tus: Tus, transfer: Transfer) -> None:
    response = tus.create(Upload_Metadata=metadata(filename="a", transfer="guessed"))
    assert (response.status_code, code_of(response)) == (404, "upload_not_found")


def test_the_public_token_is_not_the_senders_secret(tus: Tus, transfer: Transfer) -> None:
    response = tus.create(Upload_Metadata=metadata(filename="a", transfer=transfer.token))
    assert response.status_code == 404


def test_a_creation_with_a_body_of_another_type_is_refused(tus: Tus) -> None:
    response = tus.create(5, b"hello", Content_Type="text/plain")
    assert (response.status_code, code_of(response)) == (415, "upload_content_type")
    assert not Upload.objects.exists()


def test_a_creation_with_a_body_longer_than_announced_is_refused(tus: Tus) -> None:
    response = tus.create(3, b"hello")
    assert (response.status_code, code_of(response)) == (413, "upload_too_long")
    assert not Upload.objects.exists()


def test_a_chunk_of_another_type_is_refused(tus: Tus) -> None:
    response = tus.patch(path_of(tus.create()), b"hello", Content_Type="application/json")
    assert (response.status_code, code_of(response)) == (415, "upload_content_type")


def test_a_chunk_at_the_wrong_offset_is_refused_with_the_right_one(tus: Tus) -> None:
    response = tus.patch(path_of(tus.create()), b"lo", 3)
    assert (response.status_code, code_of(response)) == (409, "upload_offset_conflict")
    assert response["Upload-Offset"] == "0"
    assert response["Tus-Resumable"] == "1.0.0"


@pytest.mark.parametrize("offset", ["", "-5", "x"])
def test_an_offset_that_is_none_is_refused(tus: Tus, offset: str) -> None:
    response = tus.patch(path_of(tus.create()), b"hello", offset)
    assert (response.status_code, code_of(response)) == (400, "upload_offset_invalid")


def test_a_chunk_longer_than_what_is_left_is_refused(tus: Tus) -> None:
    response = tus.patch(path_of(tus.create(4)), b"hello")
    assert (response.status_code, code_of(response)) == (413, "upload_too_long")


@pytest.mark.parametrize(
    "path", ["/files/0e2f4a9c-5b1d-4c3e-9a77-3f6d2b8c1e50", "/files/nonsense", "/files/../admin/"]
)
@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
def test_an_unknown_upload_is_not_found(tus: Tus, method: str, path: str) -> None:
    body = b"x" if method == "PATCH" else b""
    assert tus.call(method, path, body, Upload_Offset="0").status_code == 404


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
def test_an_expired_upload_is_gone(tus: Tus, method: str) -> None:
    url = path_of(tus.create())
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    body = b"x" if method == "PATCH" else b""
    assert tus.call(method, url, body, Upload_Offset="0").status_code == 410


def test_a_finished_upload_is_terminated_with_its_file(tus: Tus) -> None:
    url = path_of(tus.create(5, b"hello"))
    assert tus.call("DELETE", url).status_code == 204
    assert not File.objects.exists()


def test_a_method_the_protocol_does_not_know_is_refused(tus: Tus) -> None:
    url = path_of(tus.create())
    assert tus.call("PUT", url, b"x").status_code == 405
    assert tus.call("GET", "/files/").status_code == 405


def test_no_space_left_is_507_and_the_upload_goes_on_later(tus: Tus, settings) -> None:
    url = path_of(tus.create())
    settings.MIN_FREE_BYTES = 2**60
    response = tus.patch(url, b"hello")
    assert (response.status_code, code_of(response)) == (507, "storage_full")
    assert tus.create().status_code == 507
    settings.MIN_FREE_BYTES = 0
    assert tus.patch(url, b"hello").status_code == 204


def test_an_instance_with_its_hands_full_asks_to_come_back_but_answers_heads(tus: Tus) -> None:
    url = path_of(tus.create())
    taken = 0
    while capacity.slots.acquire(blocking=False):
        taken += 1
    try:
        response = tus.patch(url, b"hello")
        assert (response.status_code, code_of(response)) == (503, "uploads_busy")
        assert response["Retry-After"]
        assert tus.call("HEAD", url).status_code == 200
    finally:
        for _ in range(taken):
            capacity.slots.release()
    assert tus.patch(url, b"hello").status_code == 204


def test_new_transfers_are_throttled_but_appending_is_not(tus: Tus, settings) -> None:
    settings.THROTTLES = {**settings.THROTTLES, "transfer_create": "2/minute"}
    url = path_of(tus.create())
    tus.create()
    refused = tus.create()
    assert (refused.status_code, code_of(refused)) == (429, "too_many_requests")
    assert int(refused["Retry-After"]) > 0
    assert tus.patch(url, b"hello").status_code == 204


def test_a_site_for_people_who_signed_in_refuses_strangers(tus: Tus, settings) -> None:
    settings.SEND_POLICY = "signed-in"
    response = tus.create()
    assert (response.status_code, code_of(response)) == (401, "sign_in_required")


def test_an_upload_goes_on_after_its_senders_session_ended(tus: Tus, settings) -> None:
    url = path_of(tus.create(10, b"hello"))
    settings.SEND_POLICY = "staff"
    assert tus.call("HEAD", url).status_code == 200
    assert tus.patch(url, b"world", 5).status_code == 204
