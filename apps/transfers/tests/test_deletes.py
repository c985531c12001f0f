"""Checks the services that remove files and transfers: rows now, bytes by a task that is enqueued after commit."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.common.errors import NotFoundError
from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.transfers.services import file_add, file_delete, transfer_delete
from apps.transfers.tests.together import until_somebody_waits_for_a_lock
from apps.uploads.models import Part, Upload

DISCARD = "processing.discard"


def arriving(sent, **more):
    """A file with an upload that has one part."""
    file = sent.add(state=FileState.UPLOADING)
    upload = Upload.objects.create(
        file=file, length=1000, offset=400, expires_at=timezone.now() + timedelta(days=1), **more
    )
    Part.objects.create(upload=upload, offset=0, size=400, key="0-x")
    return file, upload


@pytest.mark.django_db(transaction=True)
class TestTransferDelete:
    def test_all_rows_go(self, sent):
        sent.add()
        arriving(sent)
        transfer_delete(transfer=sent.transfer)
        assert not any(model.objects.exists() for model in (Transfer, File, Upload, Part))

    def test_the_bytes_of_every_file_are_discarded(self, sent, doorbell):
        ready = sent.add()
        _, upload = arriving(sent)
        transfer_delete(transfer=sent.transfer)
        assert doorbell() == [(DISCARD, [{"blob_keys": [ready.blob_key], "upload_ids": [str(upload.pk)]}])]

    def test_other_transfers_stay(self, sent, send, doorbell):
        other = send()
        kept = other.add()
        sent.add()
        transfer_delete(transfer=sent.transfer)
        assert list(File.objects.all()) == [kept]
        assert kept.blob_key not in str(doorbell())

    def test_nothing_is_discarded_when_there_were_no_bytes(self, sent, doorbell):
        transfer_delete(transfer=sent.transfer)
        assert doorbell() == []

    def test_removing_it_twice_is_no_error(self, sent, doorbell):
        sent.add()
        transfer_delete(transfer=sent.transfer)
        transfer_delete(transfer=sent.transfer)
        assert len(doorbell()) == 1

    def test_bytes_stay_when_the_removal_is_rolled_back(self, sent, doorbell):
        sent.add()
        with transaction.atomic():
            transfer_delete(transfer=Transfer.objects.get())
            transaction.set_rollback(True)
        assert File.objects.count() == 1
        assert doorbell() == []

    def test_a_part_that_is_committed_at_the_same_moment_does_not_stop_it(self, sent):
        """The removal waits for the append that holds the upload's row, and takes its part along."""
        _, upload = arriving(sent)
        holding = Barrier(2)

        def append():
            try:
                with transaction.atomic():
                    Upload.objects.filter(pk=upload.pk).update(offset=500)
                    Part.objects.create(upload=upload, offset=400, size=100, key="400-y")
                    holding.wait(10)
                    until_somebody_waits_for_a_lock()
            finally:
                connection.close()

        def remove():
            try:
                holding.wait(10)
                transfer_delete(transfer=Transfer.objects.get())
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as threads:
            for done in [threads.submit(append), threads.submit(remove)]:
                done.result(20)
        assert not any(model.objects.exists() for model in (Transfer, File, Upload, Part))


@pytest.mark.django_db(transaction=True)
class TestFileDelete:
    def test_one_file_goes_and_the_others_stay(self, sent):
        kept, gone = sent.add("kept.txt"), sent.add("gone.txt")
        file_delete(file=gone)
        assert list(File.objects.all()) == [kept]

    def test_its_blob_is_discarded(self, sent, doorbell):
        sent.add("kept.txt")
        gone = sent.add("gone.txt")
        file_delete(file=gone)
        assert doorbell() == [(DISCARD, [{"blob_keys": [gone.blob_key], "upload_ids": []}])]

    def test_its_upload_is_discarded(self, sent, doorbell):
        file, upload = arriving(sent)
        file_delete(file=file)
        assert doorbell() == [(DISCARD, [{"blob_keys": [], "upload_ids": [str(upload.pk)]}])]
        assert not Part.objects.exists()

    def test_removing_it_twice_is_no_error(self, sent, doorbell):
        file = sent.add()
        file_delete(file=file)
        file_delete(file=file)
        assert len(doorbell()) == 1

    def test_a_removed_file_makes_room_for_another(self, sent, settings):
        settings.MAX_TRANSFER_FILES = 1
        file_delete(file=sent.add())
        assert sent.add().name == "report.pdf"


@pytest.mark.django_db(transaction=True)
def test_a_file_added_while_its_transfer_is_removed_leaves_no_row_behind(send):
    sent, start = send(), Barrier(2)

    def race(work):
        try:
            start.wait(10)
            work()
        except NotFoundError:
            pass
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        removed = Transfer.objects.get()
        list(
            threads.map(
                race,
                [
                    lambda: transfer_delete(transfer=removed),
                    lambda: file_add(transfer=sent.transfer, name="a", size=1, claimed_type=""),
                ],
            )
        )
    assert not File.objects.exists()
