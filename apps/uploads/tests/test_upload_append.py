"""Appending: leases, parts, commits, and everything that ends a request early. Real database, real store."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from apps.lifecycle import drain
from apps.transfers.models import File
from apps.transfers.rules import FileState
from apps.uploads.appending import commit_part
from apps.uploads.errors import (
    StorageFullError,
    UploadExpiredError,
    UploadInterruptedError,
    UploadNotFoundError,
    UploadOffsetConflictError,
    UploadTooLongError,
)
from apps.uploads.leasing import Lease, upload_settle
from apps.uploads.models import Part, Upload
from apps.uploads.services import upload_append
from apps.uploads.tests.conftest import Body, append, staged

pytestmark = pytest.mark.django_db(transaction=True)
WAIT = 0.5  # seconds
MakeUpload = Callable[..., Upload]


def file_of(upload: Upload) -> File:
    assert upload.file is not None
    return upload.file


def test_a_whole_body_becomes_a_part_and_the_offset(make_upload: MakeUpload) -> None:
    upload = append(make_upload(10), Body(b"hello"), announced=5)
    assert upload.offset == 5
    assert staged(upload.pk) == b"hello"
    assert upload.lease_token is None


def test_the_last_byte_hands_the_file_to_processing(make_upload: MakeUpload, doorbell: list[object]) -> None:
    upload = append(make_upload(5), Body(b"hello"), announced=5)
    file_of(upload).refresh_from_db()
    assert file_of(upload).state == FileState.PROCESSING
    assert doorbell == [("processing.process_file", (str(upload.file_id),))]


def test_a_file_that_is_not_whole_yet_rings_no_doorbell(
    make_upload: MakeUpload, doorbell: list[object]
) -> None:
    upload = append(make_upload(6), Body(b"hello"), announced=5)
    assert file_of(upload).state == FileState.UPLOADING
    assert doorbell == []


def test_a_body_that_has_arrived_whole_is_answered_as_such_though_another_request_waits(
    make_upload: MakeUpload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.uploads.appending.LOOK_SECONDS", 0.0)
    upload = make_upload(10)

    def another_asks() -> None:
        assert Upload.objects.ask_for(upload.pk)

    appended = append(upload, Body(another_asks, b"hello"), announced=5)
    assert (appended.offset, appended.lease_token) == (5, None)


def test_many_small_appends_add_up(make_upload: MakeUpload) -> None:
    upload = make_upload(100)
    for offset in range(0, 100, 5):
        append(upload, Body(b"%05d" % offset), offset=offset, announced=5)
    assert staged(upload.pk) == b"".join(b"%05d" % offset for offset in range(0, 100, 5))


def test_a_thousand_small_appends_add_up_and_cannot_bring_more_than_was_announced(
    make_upload: MakeUpload, settings
) -> None:
    settings.FSYNC = False
    upload = make_upload(5000)
    for offset in range(0, 5000, 5):
        append(upload, Body(b"%05d" % offset), offset=offset, announced=5)
    with pytest.raises(UploadTooLongError):
        append(upload, Body(b"x"), offset=5000, announced=1)
    assert staged(upload.pk) == b"".join(b"%05d" % offset for offset in range(0, 5000, 5))


def test_a_large_body_is_committed_in_parts(make_upload: MakeUpload, settings) -> None:
    settings.COMMIT_BYTES = 1000
    upload = append(make_upload(5000), Body(*[b"x" * 500] * 9), announced=4500)
    assert list(Part.objects.values_list("offset", "size")) == [
        (0, 1000),
        (1000, 1000),
        (2000, 1000),
        (3000, 1000),
        (4000, 500),
    ]
    assert upload.offset == 4500


def test_a_slow_body_is_committed_by_time(make_upload: MakeUpload, settings) -> None:
    settings.COMMIT_SECONDS = 0.0
    upload = make_upload(10)
    seen: list[int] = []

    def look() -> None:
        seen.append(Upload.objects.get(pk=upload.pk).offset)

    append(upload, Body(b"ab", look, b"cd", look, b"ef"), announced=6)
    assert seen == [2, 4]


def test_a_connection_that_breaks_keeps_what_arrived(make_upload: MakeUpload) -> None:
    upload = make_upload(10)
    with pytest.raises(UploadInterruptedError):
        append(upload, Body(b"hel"), announced=10)
    assert staged(upload.pk) == b"hel"
    assert append(upload, Body(b"lo world"[:7]), offset=3, announced=7).offset == 10


def test_a_body_that_stops_coming_is_ended_and_kept(make_upload: MakeUpload, settings) -> None:
    settings.UPLOAD_IDLE_SECONDS = 0.0
    upload = make_upload(10)
    with pytest.raises(UploadInterruptedError) as refused:
        append(upload, Body(b"hel", None, b"never read"), announced=10)
    assert refused.value.data == {"why": "idle", "offset": 3}
    assert staged(upload.pk) == b"hel"


def test_a_draining_instance_commits_and_lets_go(
    make_upload: MakeUpload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "should_hand_over", lambda: True)
    monkeypatch.setattr("apps.uploads.appending.LOOK_SECONDS", 0.0)
    upload = make_upload(10)
    with pytest.raises(UploadInterruptedError) as refused:
        append(upload, Body(b"hel", b"never read"), announced=10)
    assert refused.value.headers["Upload-Offset"] == "3"
    upload.refresh_from_db()
    assert (upload.offset, upload.lease_token) == (3, None)


def test_a_wrong_offset_is_refused_and_the_right_one_told(make_upload: MakeUpload) -> None:
    upload = make_upload(10)
    append(upload, Body(b"hello"), announced=5)
    with pytest.raises(UploadOffsetConflictError) as refused:
        append(upload, Body(b"hello"), offset=0, announced=5)
    assert refused.value.headers["Upload-Offset"] == "5"
    assert staged(upload.pk) == b"hello"


def test_a_refused_offset_leaves_the_upload_free(make_upload: MakeUpload) -> None:
    upload = make_upload(10)
    with pytest.raises(UploadOffsetConflictError):
        append(upload, Body(b"x"), offset=7, announced=1)
    assert append(upload, Body(b"x"), announced=1).offset == 1


def test_an_announced_body_that_does_not_fit_is_refused_unread(make_upload: MakeUpload) -> None:
    upload = make_upload(4)
    with pytest.raises(UploadTooLongError):
        append(upload, Body(b"hello"), announced=5)
    assert Upload.objects.get(pk=upload.pk).offset == 0


def test_a_body_that_lies_about_its_length_is_refused_and_not_cut_off(make_upload: MakeUpload) -> None:
    upload = make_upload(4)
    with pytest.raises(UploadTooLongError):
        append(upload, Body(b"hello"), announced=None)
    upload.refresh_from_db()
    assert (upload.offset, file_of(upload).state) == (0, FileState.UPLOADING)


def test_an_unknown_upload_is_not_found() -> None:
    with pytest.raises(UploadNotFoundError):
        upload_append(upload_id=uuid.uuid4(), offset=0, announced=1, source=Body(b"x"))


def test_an_upload_that_waited_too_long_is_expired(make_upload: MakeUpload) -> None:
    upload = make_upload(10, expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(UploadExpiredError):
        append(upload, Body(b"x"), announced=1)


def test_an_upload_of_an_expired_transfer_is_expired(make_upload: MakeUpload) -> None:
    upload = make_upload(10)
    file_of(upload).transfer.expires_at = timezone.now() - timedelta(seconds=1)
    file_of(upload).transfer.save()
    with pytest.raises(UploadExpiredError):
        append(upload, Body(b"x"), announced=1)


def test_a_store_without_room_refuses_and_goes_on_later(make_upload: MakeUpload, settings) -> None:
    upload = make_upload(10)
    settings.MIN_FREE_BYTES = 2**60
    with pytest.raises(StorageFullError):
        append(upload, Body(b"hello"), announced=5)
    settings.MIN_FREE_BYTES = 0
    assert append(upload, Body(b"hello"), announced=5).offset == 5


def test_no_database_connection_is_held_while_bytes_flow(make_upload: MakeUpload) -> None:
    held: list[bool] = []
    append(
        make_upload(10), Body(b"a", lambda: held.append(connection.connection is not None), b"b"), announced=2
    )
    assert held == [False]


def test_an_append_tells_what_the_database_knows(make_upload: MakeUpload) -> None:
    told = append(make_upload(10), Body(b"hello"), announced=5)
    known = Upload.objects.get(pk=told.pk)
    for name in ("file_id", "length", "offset", "expires_at", "lease_token", "lease_until"):
        assert getattr(told, name) == getattr(known, name)


def test_a_part_whose_commit_got_no_answer_is_not_removed(
    make_upload: MakeUpload, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = make_upload(10)

    def committed_and_cut_off(lease: Lease, **values: Any) -> None:
        commit_part(lease=lease, **values)
        raise OperationalError("the connection was lost")

    monkeypatch.setattr("apps.uploads.appending.commit_part", committed_and_cut_off)
    with pytest.raises(OperationalError):
        append(upload, Body(b"hello"), announced=5)
    assert upload_settle(upload_id=upload.pk, wait_seconds=WAIT).offset == 5
    assert staged(upload.pk) == b"hello"
