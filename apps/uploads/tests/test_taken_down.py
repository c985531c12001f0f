"""What staff took down takes no byte more, by any way in; restored, its uploads go on from where they stand."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.transfers.changing import transfer_close
from apps.transfers.errors import TransferTakenDownError
from apps.transfers.models import File, Transfer
from apps.transfers.moderating import transfer_restore, transfer_take_down
from apps.transfers.rules import FileState
from apps.transfers.services import transfer_create, transfer_delete
from apps.transfers.tests.together import together, until_somebody_waits_for_a_lock
from apps.uploads.expiring import uploads_expire
from apps.uploads.models import Upload
from apps.uploads.putting import OfferedFile, files_put
from apps.uploads.rules import Metadata
from apps.uploads.services import upload_append
from apps.uploads.tests.client import Tus, bytes_of, code_of, metadata, path_of
from apps.uploads.tests.conftest import SECRET, Body, staged

pytestmark = pytest.mark.django_db(transaction=True)
MakeUpload = Callable[..., Upload]
DOWN = (410, "transfer_taken_down")


def take_down(transfer: Transfer) -> None:
    transfer_take_down(transfer_id=transfer.pk, reason="malware")


def said(response: Any) -> tuple[int, str]:
    return response.status_code, code_of(response)


def begun(tus: Tus, **headers: str | None) -> str:
    """An upload of 10 bytes in Alice's transfer, with the first 5; its path."""
    told: dict[str, Any] = {"Upload_Metadata": metadata(filename="a.txt", transfer=SECRET), **headers}
    return path_of(tus.create(10, b"hello", **told))


@pytest.fixture
def url(tus: Tus, transfer: Transfer) -> str:
    return begun(tus)


# Refused


def test_more_bytes_are_refused_and_none_is_kept(tus: Tus, transfer: Transfer, url: str) -> None:
    take_down(transfer)
    assert said(tus.patch(url, b"world", 5)) == DOWN
    upload = Upload.objects.get()
    assert (upload.offset, upload.lease_token, staged(upload.pk)) == (5, None, b"hello")


def test_the_refusal_comes_at_once_and_not_when_waiting_for_the_lease_is_over(
    tus: Tus, transfer: Transfer, url: str, settings: Any
) -> None:
    settings.LEASE_WAIT_SECONDS = 60
    take_down(transfer)
    assert said(tus.patch(url, b"world", 5)) == DOWN


def test_the_offset_is_told_as_before_so_that_no_client_starts_over(
    tus: Tus, transfer: Transfer, url: str
) -> None:
    take_down(transfer)
    Upload.objects.update(expires_at=timezone.now() + timedelta(milliseconds=1))
    Transfer.objects.update(taken_down_at=timezone.now() - timedelta(days=2))
    assert tus.offset(url) == 5


def test_an_upload_of_unknown_length_grows_no_more(tus: Tus, transfer: Transfer) -> None:
    told = metadata(filename="a.txt", transfer=SECRET)
    url = path_of(tus.defer(b"hello", Upload_Metadata=told))
    take_down(transfer)
    assert said(tus.patch(url, b"world", 5)) == DOWN


def test_an_upload_of_unknown_length_cannot_be_completed(tus: Tus, transfer: Transfer) -> None:
    url = path_of(tus.defer(b"hello", Upload_Metadata=metadata(filename="a.txt", transfer=SECRET)))
    take_down(transfer)
    assert said(tus.patch(url, b"", 5, Upload_Length="5")) == DOWN
    assert (Upload.objects.get().length, File.objects.get().state) == (None, FileState.UPLOADING)


def test_the_drafts_way_to_complete_is_refused_too(tus: Tus, transfer: Transfer, url: str) -> None:
    take_down(transfer)
    told = {"Tus_Resumable": None, "Upload_Complete": "?1", "Content_Type": "application/partial-upload"}
    assert said(tus.patch(url, b"world", 5, **told)) == DOWN


def test_no_file_is_added(tus: Tus, transfer: Transfer) -> None:
    take_down(transfer)
    told = metadata(filename="b.txt", transfer=SECRET)
    assert said(tus.create(5, b"hello", Upload_Metadata=told)) == DOWN
    assert not File.objects.exists()


def test_no_partial_upload_is_added(tus: Tus, transfer: Transfer) -> None:
    take_down(transfer)
    told: dict[str, Any] = {"Upload_Metadata": metadata(transfer=SECRET), "Upload_Concat": "partial"}
    assert said(tus.create(5, b"hello", **told)) == DOWN
    assert not Upload.objects.exists()


def test_partial_uploads_from_elsewhere_make_no_file_of_it(tus: Tus, transfer: Transfer) -> None:
    partial = tus.partial(b"hello")
    take_down(transfer)
    told = metadata(filename="b.txt", transfer=SECRET)
    assert said(tus.final(partial, Upload_Metadata=told)) == DOWN
    assert not File.objects.exists()


def test_its_partial_uploads_make_no_file_of_another_transfer(tus: Tus, transfer: Transfer) -> None:
    partial = tus.partial(b"hello", Upload_Metadata=metadata(transfer=SECRET))
    take_down(transfer)
    assert said(tus.final(partial)) == DOWN
    assert not File.objects.exists()
    assert Upload.objects.get().of_transfer == transfer


def test_a_partial_upload_takes_no_byte_more(tus: Tus, transfer: Transfer) -> None:
    told: dict[str, Any] = {"Upload_Metadata": metadata(transfer=SECRET), "Upload_Concat": "partial"}
    url = begun(tus, **told)
    take_down(transfer)
    assert said(tus.patch(url, b"world", 5)) == DOWN


def test_a_file_put_in_one_request_is_refused_when_it_is_taken_down_meanwhile(store_root: object) -> None:
    def down() -> None:
        take_down(Transfer.objects.get())

    offered = OfferedFile(Metadata(name="a.bin"), 10, Body(b"hello", down, b"world"))
    with pytest.raises(TransferTakenDownError):
        files_put(make=partial(transfer_create, owner=None), address="", files=[offered])
    # What staff took down is theirs to look at, not this request's to remove.
    assert (File.objects.get().state, Upload.objects.get().offset) == (FileState.UPLOADING, 0)


# What goes on


@pytest.mark.parametrize("days", [0, 2])
def test_restored_it_goes_on_from_its_offset_however_long_that_took(
    tus: Tus, transfer: Transfer, url: str, days: int
) -> None:
    take_down(transfer)
    assert said(tus.patch(url, b"world", 5)) == DOWN
    past = timedelta(days=days)
    Transfer.objects.update(taken_down_at=timezone.now() - past)
    Upload.objects.update(expires_at=timezone.now() - past + timedelta(minutes=1))
    transfer_restore(transfer_id=transfer.pk)
    assert uploads_expire() == 0
    assert tus.offset(url) == 5
    assert tus.patch(url, b"world", 5).status_code == 204
    assert (bytes_of(url), File.objects.get().state) == (b"helloworld", FileState.PROCESSING)


def test_an_upload_that_had_been_given_up_before_it_was_taken_down_stays_so(
    tus: Tus, transfer: Transfer, url: str
) -> None:
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    take_down(transfer)
    transfer_restore(transfer_id=transfer.pk)
    assert said(tus.patch(url, b"world", 5)) == (410, "upload_expired")


def test_a_link_that_its_sender_closed_still_takes_bytes_and_files(
    tus: Tus, transfer: Transfer, url: str
) -> None:
    transfer_close(transfer=transfer)
    assert tus.patch(url, b"world", 5).status_code == 204
    told = metadata(filename="b.txt", transfer=SECRET)
    assert tus.create(5, b"hello", Upload_Metadata=told).status_code == 201


def test_the_uploads_of_a_deleted_transfer_are_not_there(tus: Tus, transfer: Transfer, url: str) -> None:
    transfer_delete(transfer=transfer)
    assert said(tus.patch(url, b"world", 5)) == (404, "upload_not_found")
    told = metadata(filename="b.txt", transfer=SECRET)
    assert said(tus.create(5, Upload_Metadata=told)) == (404, "upload_not_found")


def test_a_patch_asks_the_database_no_more_than_before(
    transfer: Transfer, make_upload: MakeUpload, django_assert_num_queries: Any
) -> None:
    upload = make_upload(10)
    with django_assert_num_queries(2):  # the claim; the offset, with which the lease goes back
        upload_append(upload_id=upload.pk, offset=0, announced=5, source=Body(b"hello"))


# Races


def test_a_request_that_is_under_way_brings_nothing_more(
    transfer: Transfer, make_upload: MakeUpload, doorbell: list[object], settings: Any
) -> None:
    settings.COMMIT_BYTES = 5
    upload = make_upload(10)
    body = Body(b"hello", lambda: take_down(transfer), b"world")
    with pytest.raises(TransferTakenDownError):
        upload_append(upload_id=upload.pk, offset=0, announced=10, source=body)
    upload.refresh_from_db()
    assert (upload.offset, upload.lease_token, staged(upload.pk)) == (5, None, b"hello")
    assert (File.objects.get().state, doorbell) == (FileState.UPLOADING, [])
    transfer_restore(transfer_id=transfer.pk)
    upload_append(upload_id=upload.pk, offset=5, announced=5, source=Body(b"world"))
    assert staged(upload.pk) == b"helloworld"


def test_no_request_that_begins_after_a_take_down_is_taken_however_many_run(
    transfer: Transfer, make_upload: MakeUpload
) -> None:
    uploads = [make_upload(100_000) for _ in range(4)]
    down, some = threading.Event(), threading.Event()

    def send(upload: Upload) -> tuple[int, bool]:
        """(bytes that were acknowledged, whether one was after it was known to be down)"""
        acknowledged, too_late = 0, False
        while acknowledged < 100_000 and not too_late:
            was_down = down.is_set()
            try:
                upload_append(upload_id=upload.pk, offset=acknowledged, announced=1, source=Body(b"x"))
            except TransferTakenDownError:
                break
            acknowledged, too_late = acknowledged + 1, was_down
            if acknowledged == 5:
                some.set()
        return acknowledged, too_late

    def work(number: int) -> object:
        if number < len(uploads):
            return send(uploads[number])
        assert some.wait(20)
        take_down(transfer)
        down.set()
        return None

    *sent, none = together(len(uploads) + 1, work)
    assert none is None
    assert [too_late for _, too_late in sent] == [False] * len(uploads)
    for upload, (acknowledged, _) in zip(uploads, sent, strict=True):
        upload.refresh_from_db()
        assert (upload.offset, upload.lease_token) == (acknowledged, None)


@contextmanager
def being_taken_down(transfer: Transfer) -> Iterator[None]:
    """A take-down whose transaction ends only when somebody waits for it."""
    ready = threading.Event()

    def work() -> None:
        try:
            with transaction.atomic():
                take_down(transfer)
                ready.set()
                until_somebody_waits_for_a_lock()
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(20)
    yield
    thread.join(20)


def test_a_final_upload_waits_for_a_take_down_of_the_transfer_it_would_leave_and_is_refused(
    tus: Tus, transfer: Transfer
) -> None:
    partial = tus.partial(b"hello", Upload_Metadata=metadata(transfer=SECRET))
    with being_taken_down(transfer):
        response = tus.final(partial)
    assert said(response) == DOWN
    assert not File.objects.exists()


def test_a_new_file_waits_for_a_take_down_and_is_refused(tus: Tus, transfer: Transfer) -> None:
    with being_taken_down(transfer):
        response = tus.create(5, Upload_Metadata=metadata(filename="a.txt", transfer=SECRET))
    assert said(response) == DOWN
    assert not File.objects.exists()
