"""Checks the service that adds a file to a transfer, and how racing instances share the room in it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from apps.common.errors import NotFoundError
from apps.transfers.errors import (
    FileTooLargeError,
    InvalidFileError,
    TooManyFilesError,
    TransferExpiredError,
)
from apps.transfers.models import File
from apps.transfers.rules import FileState
from apps.transfers.services import file_add, transfer_delete


def add(sent, **changes):
    values = {"name": "report.pdf", "size": 10, "claimed_type": "application/pdf"}
    return file_add(transfer=sent.transfer, **{**values, **changes})


def test_a_new_file_waits_for_its_bytes(sent):
    file = add(sent)
    assert (file.state, file.name, file.size) == (FileState.UPLOADING, "report.pdf", 10)


def test_the_name_is_cleaned(sent):
    assert add(sent, name="../../\x00etc/pass\u202ewd").name == "passwd"


def test_an_empty_file_is_a_file(sent):
    assert add(sent, size=0).size == 0


def test_a_claimed_type_that_is_none_is_forgotten(sent):
    assert add(sent, claimed_type="x" * 5000).claimed_type == ""


def test_a_checksum_is_kept_in_lower_case(sent):
    assert add(sent, expected_sha256="AB" * 32).expected_sha256 == "ab" * 32


def test_a_checksum_that_is_none_is_refused(sent):
    with pytest.raises(InvalidFileError) as refusal:
        add(sent, expected_sha256="abc")
    assert refusal.value.data == {"field": "sha256"}


def test_a_negative_size_is_refused(sent):
    with pytest.raises(InvalidFileError) as refusal:
        add(sent, size=-1)
    assert refusal.value.data == {"field": "size"}


def test_a_file_over_the_limit_is_refused(sent, settings):
    settings.MAX_FILE_BYTES = 100
    assert add(sent, size=100).size == 100
    with pytest.raises(FileTooLargeError) as refusal:
        add(sent, size=101)
    assert refusal.value.status == 413
    assert refusal.value.data == {"max_bytes": 100}


def test_one_file_too_many_is_refused(sent, settings):
    settings.MAX_TRANSFER_FILES = 2
    add(sent)
    add(sent)
    with pytest.raises(TooManyFilesError) as refusal:
        add(sent)
    assert refusal.value.data == {"max_files": 2}


def test_an_expired_transfer_takes_no_more_files(sent):
    sent.change(expires_at=timezone.now() - timedelta(days=1))
    with pytest.raises(TransferExpiredError) as refusal:
        add(sent)
    assert refusal.value.status == 410


def test_a_transfer_that_was_removed_meanwhile_takes_no_more_files(sent):
    removed = sent.transfer
    transfer_delete(transfer=sent.transfer)
    with pytest.raises(NotFoundError):
        file_add(transfer=removed, name="a", size=1, claimed_type="")


@pytest.mark.django_db(transaction=True)
def test_eight_instances_that_add_at_once_share_the_room_exactly(send, settings):
    settings.MAX_TRANSFER_FILES = 3
    sent, ready = send(), Barrier(8)

    def race(number):
        try:
            ready.wait(10)
            return add(sent, name=f"{number}.txt")
        except TooManyFilesError:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        added = [file for file in threads.map(race, range(8)) if file]
    assert len(added) == 3
    assert File.objects.count() == 3


@pytest.mark.django_db
def test_two_files_never_share_their_bytes(sent):
    """Removing one would take them from the other."""
    first = sent.add()
    with pytest.raises(IntegrityError, match="file_blob_key_unique"):
        sent.add(blob_key=first.blob_key)


@pytest.mark.django_db
def test_many_files_have_no_bytes_yet(sent):
    assert [sent.add(state=FileState.PROCESSING).blob_key for _ in range(2)] == ["", ""]


@pytest.mark.django_db
def test_a_file_is_found_by_its_bytes_without_reading_the_table(sent):
    # As many as make a difference: in an empty table every index is as good as any other.
    File.objects.bulk_create(
        File(transfer=sent.transfer, name="a", size=1, blob_key=f"aa/bb/{number}") for number in range(500)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE transfers_file")
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "file_blob_key_unique" in File.objects.filter(blob_key="aa/bb/x").explain()
