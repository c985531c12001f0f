"""How much waits for a worker, and since when: what alerts about the queue go by. Real database."""

import threading
import time
import uuid
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from apps.processing.waiting import files_waiting
from apps.transfers.models import File, Transfer, secret_digest
from apps.transfers.rules import FileState
from apps.uploads.tests.client import Tus

pytestmark = pytest.mark.django_db


def ago(seconds: float):
    return timezone.now() - timedelta(seconds=seconds)


def file(state: FileState = FileState.PROCESSING, **fields) -> File:
    transfer = Transfer.objects.create(
        secret_digest=secret_digest(uuid.uuid4().hex), expires_at=timezone.now() + timedelta(days=1)
    )
    return File.objects.create(transfer=transfer, name="a", size=1, state=state, **fields)


def test_nothing_waits_on_a_site_where_all_is_done():
    file(FileState.READY, arrived_at=ago(1000), blob_key="k", sha256="x", ready_at=timezone.now())
    file(FileState.UPLOADING)
    assert files_waiting("default") == (0, 0.0)


def test_the_age_is_that_of_the_file_that_arrived_first():
    file(arrived_at=ago(20))
    file(arrived_at=ago(500))
    count, seconds = files_waiting("default")
    assert count == 2
    assert 500 <= seconds < 560


def test_a_file_that_a_worker_is_busy_with_does_not_wait_however_long_it_takes():
    assert File.objects.claim(file(arrived_at=ago(5000)).pk, uuid.uuid4(), 60)
    assert files_waiting("default") == (0, 0.0)


def test_a_file_whose_worker_has_died_waits_from_when_its_claim_ended():
    file(arrived_at=ago(5000), claim_token=uuid.uuid4(), claimed_until=ago(30))
    count, seconds = files_waiting("default")
    assert count == 1
    assert 30 <= seconds < 90


def test_a_file_that_the_release_before_handed_over_is_counted_and_has_no_age():
    file(arrived_at=None)
    assert files_waiting("default") == (1, 0.0)
    file(arrived_at=ago(70))
    count, seconds = files_waiting("default")
    assert count == 2
    assert 70 <= seconds < 130


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lifetime", [60, 10**6])
def test_an_upload_begins_to_wait_with_its_last_byte_however_long_uploads_are_kept(
    settings, store_root, doorbell, lifetime: int
):
    settings.UPLOAD_EXPIRES_SECONDS = lifetime
    tus = Tus()
    address = tus.create(3)["Location"]
    assert tus.patch(address, b"ab").status_code == 204
    assert files_waiting("default") == (0, 0.0)
    assert tus.patch(address, b"c", 2).status_code == 204
    count, seconds = files_waiting("default")
    assert count == 1
    assert seconds < 60


@pytest.mark.django_db(transaction=True)
def test_a_plain_put_has_only_just_arrived(client, store_root, doorbell):
    assert client.put("/a.txt", b"abc", content_type="text/plain").status_code == 201
    count, seconds = files_waiting("default")
    assert count == 1
    assert seconds < 60


@pytest.mark.django_db(transaction=True)
def test_a_database_that_cannot_answer_now_is_not_waited_for():
    locked, release = threading.Event(), threading.Event()

    def lock() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE transfers_file IN ACCESS EXCLUSIVE MODE")
            locked.set()
            release.wait(30)
        connection.close()

    holder = threading.Thread(target=lock)
    holder.start()
    try:
        assert locked.wait(10)
        began = time.monotonic()
        with pytest.raises(OperationalError):
            files_waiting("default")
        assert time.monotonic() - began < 10, "not for as long as the lock is held"
    finally:
        release.set()
        holder.join(10)
    assert files_waiting("default") == (0, 0.0), "the connection is as good as before"
