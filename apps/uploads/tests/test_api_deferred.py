"""Uploads whose length is said later: room is asked for chunk by chunk, also when many ask at once."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum

from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.uploads.errors import UploadLeaseLostError
from apps.uploads.growing import upload_fix_length, upload_grow
from apps.uploads.leasing import lease_take
from apps.uploads.models import Upload
from apps.uploads.tests.client import Tus, bytes_of, code_of, metadata, path_of
from apps.uploads.tests.conftest import SECRET

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_file_is_as_large_as_what_room_was_asked_for(tus: Tus) -> None:
    url = path_of(tus.defer(b"he"))
    assert File.objects.get().size == 2
    tus.patch(url, b"llo", 2)
    assert (File.objects.get().size, Upload.objects.get().reserved) == (5, 5)


def test_an_empty_request_that_says_the_length_completes_an_upload(tus: Tus, doorbell: list[Any]) -> None:
    url = path_of(tus.defer(b"hello"))
    assert doorbell == []
    assert tus.patch(url, b"", 5, Upload_Length="5").status_code == 204
    assert File.objects.get().state == FileState.PROCESSING
    assert [name for name, _ in doorbell] == ["processing.process_file"]
    assert "Upload-Expires" not in tus.call("HEAD", url)
    assert bytes_of(url) == b"hello"


def test_an_upload_that_turns_out_empty_is_complete(tus: Tus) -> None:
    url = path_of(tus.defer())
    assert tus.patch(url, b"", 0, Upload_Length="0").status_code == 204
    assert (File.objects.get().state, bytes_of(url)) == (FileState.PROCESSING, b"")


def test_room_that_a_broken_chunk_did_not_need_is_given_back_when_the_length_is_said(tus: Tus) -> None:
    url = path_of(tus.defer())
    Upload.objects.update(reserved=1000)
    tus.patch(url, b"hello", 0, Upload_Length="5")
    assert (Upload.objects.get().reserved, File.objects.get().size) == (5, 5)


def test_saying_the_length_again_after_a_lost_answer_is_no_error(tus: Tus) -> None:
    url = path_of(tus.defer())
    tus.patch(url, b"he", 0, Upload_Length="5")
    assert tus.patch(url, b"llo", 2, Upload_Length="5").status_code == 204
    again = tus.patch(url, b"llo", 2, Upload_Length="5")
    assert (again.status_code, again["Upload-Offset"]) == (409, "5")


def test_a_length_below_what_has_arrived_is_refused(tus: Tus) -> None:
    url = path_of(tus.defer(b"hello"))
    response = tus.patch(url, b"", 5, Upload_Length="4")
    assert (response.status_code, code_of(response)) == (400, "upload_length_invalid")
    assert Upload.objects.get().length is None


def test_a_chunk_beyond_the_length_it_says_is_refused_and_says_nothing(tus: Tus) -> None:
    url = path_of(tus.defer(b"hello"))
    response = tus.patch(url, b"world", 5, Upload_Length="9")
    assert (response.status_code, code_of(response)) == (413, "upload_too_long")
    assert Upload.objects.get().length is None


def test_a_chunk_over_the_senders_quota_is_refused_and_the_upload_stays(tus: Tus, settings) -> None:
    settings.MAX_ADDRESS_BYTES = 8
    url = path_of(tus.defer(b"hello"))
    response = tus.patch(url, b"world", 5)
    assert (response.status_code, code_of(response)) == (413, "quota_exceeded")
    assert (tus.offset(url), Upload.objects.get().reserved) == (5, 5)
    assert tus.patch(url, b"wor", 5, Upload_Length="8").status_code == 204


def test_a_length_over_the_senders_quota_is_refused(tus: Tus, settings) -> None:
    settings.MAX_ADDRESS_BYTES = 8
    url = path_of(tus.defer(b"hello"))
    assert code_of(tus.patch(url, b"w", 5, Upload_Length="9")) == "quota_exceeded"
    assert Upload.objects.get().length is None


def test_a_deferred_partial_upload_goes_into_a_file(tus: Tus) -> None:
    url = path_of(tus.defer(b"he", Upload_Concat="partial", Upload_Metadata=None))
    assert code_of(tus.final(url)) == "partial_unfinished"
    tus.patch(url, b"llo", 2, Upload_Length="5")
    assert bytes_of(path_of(tus.final(url))) == b"hello"


@pytest.mark.parametrize("change", [upload_grow, upload_fix_length])
def test_a_holder_that_lost_its_lease_changes_neither_length_nor_room(tus: Tus, change: Any) -> None:
    url = path_of(tus.defer(b"hello"))
    lease = lease_take(upload_id=Upload.objects.get().pk, offset=5)
    Upload.objects.update(lease_token=uuid.uuid4())
    with pytest.raises(UploadLeaseLostError):
        change(lease=lease, **{"size" if change is upload_grow else "length": 50})
    upload = Upload.objects.get()
    assert (upload.length, upload.reserved, File.objects.get().size) == (None, 5, 5)
    assert url


def together(*work: Any) -> list[Any]:
    """Each in a thread of its own, all at the same moment."""
    start = Barrier(len(work))

    def run(each: Any) -> Any:
        start.wait()
        try:
            return each()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result() for future in [pool.submit(run, each) for each in work]]


def test_of_two_requests_that_say_different_lengths_one_wins(tus: Tus) -> None:
    for _ in range(10):
        url = path_of(tus.defer())
        answers = together(
            lambda url=url: tus.patch(url, b"abc", Upload_Length="3"),
            lambda url=url: tus.patch(url, b"abcd", Upload_Length="4"),
        )
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses)[0] == 204
        assert sorted(statuses)[1] in {400, 409, 423}
        length = 3 + statuses.index(204)
        assert tus.call("HEAD", url)["Upload-Length"] == str(length)
        assert bytes_of(url) == b"abcd"[:length]


def test_fifty_deferred_uploads_at_once_cannot_pass_the_transfers_limit(
    tus: Tus, transfer: Transfer, settings
) -> None:
    told = metadata(filename="a", transfer=SECRET)
    urls = [path_of(tus.defer(Upload_Metadata=told)) for _ in range(50)]
    settings.MAX_TRANSFER_BYTES = 120
    began = time.monotonic()
    answers: list[Any] = []
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda url: _patched(tus, url), urls))
    taken = [answer for answer in answers if answer.status_code == 204]
    assert {answer.status_code for answer in answers} == {204, 413}
    assert {code_of(answer) for answer in answers if answer.status_code == 413} == {"transfer_too_large"}
    assert len(taken) == 12
    assert Upload.objects.aggregate(Sum("reserved"))["reserved__sum"] == 120
    assert time.monotonic() - began < 60


def _patched(tus: Tus, url: str) -> Any:
    try:
        return tus.patch(url, b"0123456789")
    finally:
        connection.close()
