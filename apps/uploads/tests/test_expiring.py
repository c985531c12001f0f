"""Uploads that nobody goes on with: they go, their room comes back, and no living one is touched."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.uploads import expiring
from apps.uploads.errors import UploadExpiredError, UploadNotFoundError, UploadUsedError
from apps.uploads.expiring import uploads_expire
from apps.uploads.leasing import lease_take
from apps.uploads.models import Upload
from apps.uploads.services import upload_append, upload_delete_locked
from apps.uploads.tests.conftest import Body, staged

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("doorbell")]
MakeUpload = Callable[..., Upload]


def past(seconds: float = 1.0) -> dict[str, object]:
    return {"expires_at": timezone.now() - timedelta(seconds=seconds)}


def left() -> set[uuid.UUID]:
    return set(Upload.objects.values_list("pk", flat=True))


def test_an_upload_that_waited_too_long_goes_with_its_file_and_its_bytes_are_told_of(
    make_upload: MakeUpload, doorbell: list[object]
) -> None:
    gone, kept = make_upload(10, **past()), make_upload(10)
    assert uploads_expire() == 1
    assert left() == {kept.pk}
    assert File.objects.count() == 1
    assert doorbell == [("processing.discard", ({"blob_keys": [], "upload_ids": [str(gone.pk)]},))]


def test_an_upload_without_a_length_expires(make_upload: MakeUpload) -> None:
    upload = make_upload(10, **past())
    Upload.objects.filter(pk=upload.pk).update(length=None, reserved=10)
    assert uploads_expire() == 1


def test_a_partial_upload_that_no_file_was_made_of_expires_even_when_it_is_whole(transfer: Transfer) -> None:
    Upload.objects.create(transfer=transfer, length=5, offset=5, **past())
    Upload.objects.create(transfer=transfer, length=5, offset=2, **past())
    assert uploads_expire() == 2


def test_a_partial_upload_that_is_part_of_a_file_stays(make_upload: MakeUpload, transfer: Transfer) -> None:
    final = make_upload(5, offset=5)
    Upload.objects.create(transfer=transfer, final=final, position=0, length=5, offset=5, **past())
    assert uploads_expire() == 0
    assert len(left()) == 2


@pytest.mark.parametrize("state", [FileState.PROCESSING, FileState.READY, FileState.REJECTED])
def test_an_upload_that_has_arrived_whole_stays(make_upload: MakeUpload, state: FileState) -> None:
    upload = make_upload(5, offset=5, **past())
    File.objects.filter(upload=upload).update(state=state, blob_key="x", sha256="x")
    assert uploads_expire() == 0
    assert left() == {upload.pk}


def test_an_upload_that_cannot_be_removed_holds_up_no_other(
    make_upload: MakeUpload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiring, "_BATCH", 1)
    uploads = sorted((make_upload(10, **past()) for _ in range(3)), key=lambda upload: upload.pk)

    def delete(locked: Upload) -> None:
        if locked == uploads[0]:
            raise UploadUsedError
        upload_delete_locked(locked)

    monkeypatch.setattr(expiring, "upload_delete_locked", delete)
    assert uploads_expire() == 2
    assert left() == {uploads[0].pk}


def test_a_sweep_goes_through_all_batches_and_not_beyond_its_most(
    make_upload: MakeUpload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiring, "_BATCH", 2)
    for _ in range(7):
        make_upload(10, **past())
    assert uploads_expire(most=5) == 5
    assert uploads_expire() == 2


def test_an_upload_that_is_appended_to_is_not_touched_and_lives_on(make_upload: MakeUpload) -> None:
    upload = make_upload(10)
    swept: list[int] = []

    def too_late_by_the_clock() -> None:
        Upload.objects.filter(pk=upload.pk).update(**past())
        swept.append(uploads_expire())

    body = Body(b"he", too_late_by_the_clock, b"llo")
    assert upload_append(upload_id=upload.pk, offset=0, announced=5, source=body).offset == 5
    assert swept == [0]
    assert staged(upload.pk) == b"hello"
    assert Upload.objects.get(pk=upload.pk).expires_at > timezone.now()


def test_an_upload_that_is_locked_by_somebody_else_is_left_to_the_next_sweep(make_upload: MakeUpload) -> None:
    upload = make_upload(10, **past())

    def sweep() -> int:
        try:
            return uploads_expire()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Upload.objects.select_for_update().get(pk=upload.pk)
            assert pool.submit(sweep).result(20) == 0
        assert pool.submit(sweep).result(20) == 1


def test_an_append_and_a_sweep_at_the_last_moment_never_both_win(make_upload: MakeUpload) -> None:
    """Whoever is first decides: an upload that somebody took up is there, one that was swept is gone for everybody."""
    outcomes = set()
    for number in range(30):
        # The moment lies before, at and behind the race.
        upload = make_upload(10, expires_at=timezone.now() + timedelta(milliseconds=5 + number))
        start = threading.Barrier(3)

        def take(upload: Upload = upload, start: threading.Barrier = start) -> bool:
            start.wait(20)
            try:
                lease_take(upload_id=upload.pk, offset=0)
                return True
            except (UploadExpiredError, UploadNotFoundError):
                return False
            finally:
                connection.close()

        def sweep(start: threading.Barrier = start) -> int:
            start.wait(20)
            try:
                return uploads_expire()
            finally:
                connection.close()

        with ThreadPoolExecutor(3) as pool:
            taken, *swept = [pool.submit(take), pool.submit(sweep), pool.submit(sweep)]
            won, count = taken.result(30), sum(sweep.result(30) for sweep in swept)
        assert count <= 1
        assert (upload.pk in left()) is (count == 0)
        assert not (won and count)
        outcomes.add((won, count))
        Upload.objects.all().delete()
    assert outcomes <= {(True, 0), (False, 1), (False, 0)}
