"""Appending: leases, parts, commits, and everything that ends a request early. Real database, real store."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
    UploadError,
    UploadExpiredError,
    UploadInterruptedError,
    UploadLeaseLostError,
    UploadLockedError,
    UploadNotFoundError,
    UploadOffsetConflictError,
    UploadTooLongError,
)
from apps.uploads.leasing import Lease, lease_take, upload_settle
from apps.uploads.models import Part, Upload
from apps.uploads.services import upload_append
from apps.uploads.store import blob_store
from apps.uploads.tests.conftest import Body, staged

pytestmark = pytest.mark.django_db(transaction=True)
WAIT = 0.5  # seconds
MakeUpload = Callable[..., Upload]


def file_of(upload: Upload) -> File:
    assert upload.file is not None
    return upload.file


def append(upload: Upload, body: Body, offset: int = 0, announced: int | None = None) -> Upload:
    return upload_append(upload_id=upload.pk, offset=offset, announced=announced, source=body)


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


def test_two_requests_at_once_one_wins_and_the_bytes_are_right(make_upload: MakeUpload, settings) -> None:
    settings.LEASE_WAIT_SECONDS = 0.0
    upload = make_upload(8)
    together = threading.Barrier(8)

    def one(letter: str) -> str:
        together.wait()
        try:
            append(upload, Body(letter.encode() * 8), announced=8)
            return letter
        except (UploadOffsetConflictError, UploadLockedError):
            return ""
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        winners = [letter for letter in pool.map(one, "abcdefgh") if letter]
    assert len(winners) == 1
    assert staged(upload.pk) == winners[0].encode() * 8


def test_a_second_request_asks_the_holder_to_let_go_and_goes_on(
    make_upload: MakeUpload, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.uploads.appending.LOOK_SECONDS", 0.05)
    upload = make_upload(10)
    holding = threading.Event()
    lost: list[UploadError] = []

    def hold() -> None:
        endless = [b"abc", holding.set, *[None] * 10_000]
        try:
            append(upload, Body(*endless), announced=10)
        except UploadLeaseLostError as error:
            lost.append(error)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert holding.wait(5)
    settled = upload_settle(upload_id=upload.pk, wait_seconds=WAIT)
    holder.join(5)
    assert [error.headers["Upload-Offset"] for error in lost] == ["3"]
    assert settled.offset == 3
    assert append(upload, Body(b"defghij"), offset=3, announced=7).offset == 10


def test_a_holder_that_does_not_let_go_keeps_others_out(make_upload: MakeUpload, settings) -> None:
    settings.LEASE_WAIT_SECONDS = 0.2
    upload = make_upload(10)
    lease_take(upload_id=upload.pk, offset=0)
    with pytest.raises(UploadLockedError):
        append(upload, Body(b"x"), announced=1)
    with pytest.raises(UploadLockedError):
        upload_settle(upload_id=upload.pk, wait_seconds=WAIT)


def expire_lease(upload: Upload) -> None:
    Upload.objects.filter(pk=upload.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def written_part(lease: Lease, data: bytes) -> str:
    key = f"{lease.offset}-{lease.token.hex}"
    writer = blob_store().open_part(lease.upload_id, key)
    writer.write(data)
    writer.commit()
    return key


def test_an_expired_holder_cannot_commit_even_when_nobody_took_over(make_upload: MakeUpload) -> None:
    upload = make_upload(10)
    lease = lease_take(upload_id=upload.pk, offset=0)
    expire_lease(upload)
    with pytest.raises(UploadLeaseLostError):
        commit_part(lease=lease, key=written_part(lease, b"late"), size=4)
    assert not Part.objects.exists()


def test_an_expired_holder_cannot_commit_after_another_took_over(make_upload: MakeUpload) -> None:
    upload = make_upload(10)
    sleeper = lease_take(upload_id=upload.pk, offset=0)
    late = written_part(sleeper, b"late")
    expire_lease(upload)
    append(upload, Body(b"winner"), announced=6)
    with pytest.raises(UploadLeaseLostError):
        commit_part(lease=sleeper, key=late, size=4)
    assert staged(upload.pk) == b"winner"


def test_an_expired_holder_cannot_commit_behind_the_back_of_a_head(make_upload: MakeUpload) -> None:
    upload = make_upload(10)
    sleeper = lease_take(upload_id=upload.pk, offset=0)
    expire_lease(upload)
    told = upload_settle(upload_id=upload.pk, wait_seconds=WAIT).offset
    Upload.objects.filter(pk=upload.pk).update(lease_until=timezone.now() + timedelta(seconds=60))
    with pytest.raises(UploadLeaseLostError):
        commit_part(lease=sleeper, key=written_part(sleeper, b"late"), size=4)
    assert append(upload, Body(b"x"), offset=told, announced=1).offset == 1


def test_an_expired_holder_whose_upload_was_removed_does_not_blame_the_store(make_upload: MakeUpload) -> None:
    upload = make_upload(10)

    def expire_and_remove() -> None:
        Upload.objects.filter(pk=upload.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        blob_store().discard_upload(upload.pk)
        connection.close()

    with pytest.raises(UploadLeaseLostError):
        append(upload, Body(b"hello", expire_and_remove), announced=5)


def test_a_lease_is_renewed_while_bytes_flow(
    make_upload: MakeUpload, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.uploads.appending.LOOK_SECONDS", 0.0)
    settings.LEASE_SECONDS = 60.0
    upload = make_upload(10)

    def nearly_over() -> None:
        Upload.objects.filter(pk=upload.pk).update(lease_until=timezone.now() + timedelta(seconds=5))

    left: list[float] = []

    def look() -> None:
        until = Upload.objects.get(pk=upload.pk).lease_until
        assert until is not None
        left.append((until - timezone.now()).total_seconds())

    append(upload, Body(b"a", nearly_over, b"b", look, b"c"), announced=3)
    assert left[0] > 30


def test_a_lease_given_back_with_the_last_byte_is_not_looked_after_any_more(
    make_upload: MakeUpload, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.uploads.appending.LOOK_SECONDS", 0.0)
    settings.COMMIT_BYTES = 5
    upload = append(make_upload(10), Body(b"hello"), announced=5)
    assert (upload.offset, upload.lease_token) == (5, None)
    upload.refresh_from_db()
    assert (upload.offset, upload.lease_token) == (5, None)


def test_an_append_tells_what_the_database_knows(make_upload: MakeUpload) -> None:
    told = append(make_upload(10), Body(b"hello"), announced=5)
    known = Upload.objects.get(pk=told.pk)
    for name in ("file_id", "length", "offset", "expires_at", "lease_token", "lease_until"):
        assert getattr(told, name) == getattr(known, name)


def test_a_second_request_right_after_the_last_byte_finds_the_upload_free(
    make_upload: MakeUpload, settings
) -> None:
    settings.LEASE_WAIT_SECONDS = 0.0
    settings.COMMIT_BYTES = 5
    upload = make_upload(10)
    after: list[int] = []

    def next_request() -> None:
        after.append(append(upload, Body(b"world"), offset=5, announced=5).offset)

    # The first request's body is over, its loop has not noticed yet.
    append(upload, Body(b"hello", next_request), announced=5)
    assert after == [10]
    assert staged(upload.pk) == b"helloworld"


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
