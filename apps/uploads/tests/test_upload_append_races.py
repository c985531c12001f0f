"""Appending when others do too: who holds an upload, who lets go, who comes too late. Real database, real store."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apps.uploads.appending import commit_part
from apps.uploads.errors import (
    UploadError,
    UploadLeaseLostError,
    UploadLockedError,
    UploadOffsetConflictError,
)
from apps.uploads.leasing import Lease, lease_take, upload_settle
from apps.uploads.models import Part, Upload
from apps.uploads.store import blob_store
from apps.uploads.tests.conftest import Body, append, staged

pytestmark = pytest.mark.django_db(transaction=True)
WAIT = 0.5  # seconds
MakeUpload = Callable[..., Upload]


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
