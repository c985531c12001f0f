"""Archives: asked for, made, taken over from a killed worker, kept and forgotten. Real database, real store."""

import hashlib
import os
import shutil
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apps.common.errors import NotFoundError
from apps.processing import archiving, rules, services
from apps.processing.archiving import archive_authorise, archive_find, archive_make, archive_request
from apps.processing.errors import ArchiveNoRoomError, ArchiveNotReadyError, NothingChosenError
from apps.processing.models import Archive
from apps.processing.rules import ArchiveState
from apps.processing.tests.packed import blobs, made, path_of, read
from apps.transfers.errors import DownloadLimitReachedError, TransferClosedError
from apps.transfers.models import DownloadDay, File
from apps.transfers.services import file_delete, transfer_delete
from apps.uploads.ports import StoreError
from apps.uploads.store import blob_store
from apps.uploads.stores.filesystem import FilesystemStore

pytestmark = pytest.mark.django_db


class TestAsking:
    def test_the_second_visitor_gets_the_same_archive(self, sent, publish):
        files = [publish(sent, "a.txt", b"a"), publish(sent, "b.txt", b"b")]
        archive = made(sent, *files)
        again = archive_find(transfer=sent.transfer, file_ids=[file.pk for file in reversed(files)])
        assert again == archive
        assert archive_request(transfer=sent.transfer, files=files[::-1]) == archive
        assert archive_make(archive_id=archive.pk) is False

    def test_another_choice_is_another_archive(self, sent, publish):
        files = [publish(sent, f"{name}.txt", b"a") for name in "abc"]
        archive = made(sent, *files)
        assert archive_find(transfer=sent.transfer, file_ids=[files[0].pk, files[1].pk]) is None
        assert archive_request(transfer=sent.transfer, files=files[:2]) != archive

    def test_nothing_chosen_is_refused(self, sent):
        with pytest.raises(NothingChosenError):
            archive_request(transfer=sent.transfer, files=[])

    def test_of_a_transfer_that_was_removed_meanwhile_none_is_made(self, sent, publish):
        file = publish(sent, "a.txt", b"a")
        transfer_delete(transfer=sent.transfer)
        with pytest.raises(NotFoundError):
            archive_request(transfer=sent.transfer, files=[file])
        assert not Archive.objects.exists()

    def test_no_archive_is_made_where_it_would_take_the_reserve(self, sent, publish, settings):
        files = [publish(sent, "a.txt", b"a"), publish(sent, "b.txt", b"b")]
        settings.MIN_FREE_BYTES = blob_store().free_bytes()
        with pytest.raises(ArchiveNoRoomError):
            archive_request(transfer=sent.transfer, files=files)
        assert not Archive.objects.exists()

    def test_one_that_failed_starts_over(self, sent, publish):
        files = [publish(sent, "a.txt", b"a"), publish(sent, "b.txt", b"b")]
        archive = archive_request(transfer=sent.transfer, files=files)
        Archive.objects.filter(pk=archive.pk).update(state=ArchiveState.FAILED, attempts=9, reason="why")
        again = archive_request(transfer=sent.transfer, files=files)
        assert (again.pk, again.state, again.attempts, again.reason) == (archive.pk, "waiting", 0, "")


class TestMaking:
    def test_what_a_killed_worker_began_another_makes_again(self, sent, publish, store_root):
        files = [publish(sent, "a.txt", b"a"), publish(sent, "b.txt", b"b")]
        archive = archive_request(transfer=sent.transfer, files=files)
        # As far as one came that was killed: it owns the archive and has written some of it.
        dead = archiving._claim(archive.pk)
        assert dead is not None
        writer = blob_store().open_blob(dead.archive.blob_key)
        writer.write(b"half of it")
        assert archive_make(archive_id=archive.pk) is False
        Archive.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        assert archiving.archives_sweep() == 1
        assert archive_make(archive_id=archive.pk) is True
        archive.refresh_from_db()
        assert read(store_root, archive) == {"a.txt": b"a", "b.txt": b"b"}
        assert archive.blob_key != dead.archive.blob_key
        assert blob_store().discard_unfinished(0) == 1

    def test_whoever_lost_the_claim_leaves_nothing(self, sent, publish, store_root, monkeypatch):
        files = [publish(sent, "a.txt", b"a"), publish(sent, "b.txt", b"b")]
        archive = archive_request(transfer=sent.transfer, files=files)
        before = blobs(store_root)

        class Slow(FilesystemStore):
            def read_blob(self, key, **more):
                Archive.objects.filter(pk=archive.pk).update(claim_token=uuid.uuid4())
                return super().read_blob(key, **more)

        monkeypatch.setitem(_adapters(), "filesystem", f"{__name__}.Slow")
        monkeypatch.setattr(f"{__name__}.Slow", Slow, raising=False)
        assert archive_make(archive_id=archive.pk) is False
        assert blobs(store_root) == before
        assert blob_store().discard_unfinished(0) == 0

    def test_a_file_that_went_meanwhile_makes_it_fail_with_a_reason(self, sent, publish):
        files = [publish(sent, "a.txt", b"a"), publish(sent, "b.txt", b"b")]
        archive = archive_request(transfer=sent.transfer, files=files)
        File.objects.filter(pk=files[0].pk).delete()
        assert archive_make(archive_id=archive.pk) is False
        archive.refresh_from_db()
        assert (archive.state, "not there any more" in archive.reason) == ("failed", True)

    def test_a_store_that_is_away_leaves_it_to_a_later_sweep(self, sent, publish, store_root):
        files = [publish(sent, "a.txt", b"a"), publish(sent, "b.txt", b"b")]
        archive = archive_request(transfer=sent.transfer, files=files)
        (store_root / "blobs").rename(store_root / "away")
        assert archive_make(archive_id=archive.pk) is False
        (store_root / "away").rename(store_root / "blobs")
        archive.refresh_from_db()
        assert archive.state in rules_unfinished()
        assert archive.claimed_until is not None
        assert archive.claimed_until > timezone.now()

    def test_one_that_kept_killing_its_workers_fails(self, sent, publish):
        files = [publish(sent, "a.txt", b"a"), publish(sent, "b.txt", b"b")]
        archive = archive_request(transfer=sent.transfer, files=files)
        Archive.objects.update(attempts=rules.MOST_ARCHIVE_ATTEMPTS)
        assert archive_make(archive_id=archive.pk) is False
        archive.refresh_from_db()
        assert archive.state == ArchiveState.FAILED

    def test_how_far_it_is_can_be_seen_while_it_is_made(self, sent, publish, monkeypatch):
        files = [publish(sent, "a.bin", os.urandom(3 * 2**20)), publish(sent, "b.txt", b"b")]
        archive = archive_request(transfer=sent.transfer, files=files)
        monkeypatch.setattr(archiving, "_TELL_SECONDS", 0.0)
        seen = []
        renew = type(Archive.objects.all()).renew

        def noted(self, pk, token, seconds, **values):
            seen.append(values["bytes_done"])
            return renew(self, pk, token, seconds, **values)

        monkeypatch.setattr(type(Archive.objects.all()), "renew", noted)
        archive_make(archive_id=archive.pk)
        assert seen[:3] == [2**20, 2 * 2**20, 3 * 2**20]


def rules_unfinished():
    return Archive.objects.all().unfinished


def _adapters():
    from apps.uploads import store

    return store._ADAPTERS


class TestDownloading:
    def test_it_counts_one_download_of_the_transfer_and_one_of_each_file_in_it(self, sent, publish):
        files = [publish(sent, "a.txt", b"aa"), publish(sent, "b.txt", b"bbb"), publish(sent, "c.txt", b"c")]
        archive = made(sent, *files[:2])
        archive_authorise(archive=archive, client="bob", starts_over=True, counts=True)
        sent.transfer.refresh_from_db()
        assert sent.transfer.download_count == 1
        assert [File.objects.get(pk=file.pk).download_count for file in files] == [1, 1, 0]
        assert list(DownloadDay.objects.values_list("downloads", "bytes")) == [(1, 5)]

    def test_going_on_after_a_break_is_no_other_download(self, sent, publish):
        archive = made(sent, publish(sent, "a.txt", b"aa"), publish(sent, "b.txt", b"bbb"))
        archive_authorise(archive=archive, client="bob", starts_over=True, counts=True)
        archive_authorise(archive=archive, client="bob", starts_over=False, counts=True)
        sent.transfer.refresh_from_db()
        assert sent.transfer.download_count == 1

    def test_a_link_that_is_used_up_gives_no_archive(self, send, publish):
        sent = send(download_limit=1)
        archive = made(sent, publish(sent, "a.txt", b"aa"), publish(sent, "b.txt", b"bbb"))
        archive_authorise(archive=archive, client="bob", starts_over=True, counts=True)
        with pytest.raises(DownloadLimitReachedError):
            archive_authorise(archive=archive, client="charlie", starts_over=True, counts=True)

    def test_a_closed_link_gives_no_archive(self, sent, publish):
        archive = made(sent, publish(sent, "a.txt", b"aa"), publish(sent, "b.txt", b"bbb"))
        sent.change(closed_at=timezone.now())
        archive = Archive.objects.select_related("transfer").get(pk=archive.pk)
        with pytest.raises(TransferClosedError):
            archive_authorise(archive=archive, client="bob", starts_over=True, counts=True)

    def test_one_in_the_making_is_not_given(self, sent, publish):
        files = [publish(sent, "a.txt", b"aa"), publish(sent, "b.txt", b"bbb")]
        archive = archive_request(transfer=sent.transfer, files=files)
        with pytest.raises(ArchiveNotReadyError):
            archive_authorise(archive=archive, client="bob", starts_over=True, counts=True)

    def test_its_name_is_the_titles(self, send, publish):
        sent = send(title="Plans / 2024")
        archive = made(sent, publish(sent, "a.txt", b"aa"), publish(sent, "b.txt", b"bbb"))
        ticket = archive_authorise(archive=archive, client="bob", starts_over=True, counts=True)
        assert 'filename="Plans - 2024.zip"' in ticket.disposition
        assert ticket.content_type == "application/zip"


class TestForgetting:
    def test_an_archive_that_nobody_asks_for_any_more_goes_with_its_bytes(
        self, sent, publish, store_root, settings
    ):
        archive = made(sent, publish(sent, "a.txt", b"aa"), publish(sent, "b.txt", b"bbb"))
        assert archiving.archives_expire() == 0
        late = timezone.now() - timedelta(seconds=settings.ARCHIVE_KEEP_SECONDS + 1)
        Archive.objects.update(used_at=late)
        assert archiving.archives_expire() == 1
        services.discards_sweep(older_than_seconds=-1)
        assert not path_of(store_root, archive).exists()
        assert not Archive.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_a_removed_file_takes_the_archives_that_hold_it_along_and_no_other(
        self, sent, publish, store_root
    ):
        files = [publish(sent, f"{name}.txt", b"a") for name in "abc"]
        all_of_them, others = made(sent, *files), made(sent, *files[1:])
        file_delete(file=files[0])
        assert list(Archive.objects.all()) == [others]
        services.bytes_discard(blob_keys=[files[0].blob_key, all_of_them.blob_key], upload_ids=[])
        assert not path_of(store_root, all_of_them).exists()
        assert path_of(store_root, others).exists()

    @pytest.mark.django_db(transaction=True)
    def test_a_removed_transfer_takes_them_all(self, sent, publish):
        made(sent, *[publish(sent, f"{name}.txt", b"a") for name in "ab"])
        transfer_delete(transfer=sent.transfer)
        assert not Archive.objects.exists()

    def test_an_expired_transfer_takes_them_all(self, sent, publish):
        made(sent, *[publish(sent, f"{name}.txt", b"a") for name in "ab"])
        sent.change(expires_at=timezone.now() - timedelta(seconds=1))
        services.transfers_expire()
        assert not Archive.objects.exists()

    def test_its_bytes_are_not_taken_for_orphans(self, sent, publish, store_root):
        archive = made(sent, *[publish(sent, f"{name}.txt", b"a") for name in "ab"])
        assert services.orphans_discard(older_than_seconds=-1) == 0
        assert path_of(store_root, archive).exists()

    def test_a_stray_message_does_not_remove_them(self, sent, publish, store_root):
        archive = made(sent, *[publish(sent, f"{name}.txt", b"a") for name in "ab"])
        services.bytes_discard(blob_keys=[archive.blob_key], upload_ids=[])
        assert path_of(store_root, archive).exists()


@pytest.mark.django_db(transaction=True)
def test_of_ten_who_ask_at_once_all_get_the_same_and_one_worker_makes_it(sent, publish):
    files = [publish(sent, f"{name}.txt", b"a" * 100_000) for name in "ab"]
    all_here = threading.Barrier(10)

    def ask(_):
        try:
            all_here.wait(20)
            archive = archive_request(transfer=sent.transfer, files=files)
            return archive.pk, archive_make(archive_id=archive.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(ask, range(10)))
    assert len({pk for pk, _ in answers}) == 1
    assert [is_maker for _, is_maker in answers].count(True) == 1
    assert Archive.objects.get().state == ArchiveState.READY


def test_a_store_error_is_no_surprise_to_whoever_asks(sent, publish, store_root):
    """The page says 503 and to come back."""
    from apps.uploads.errors import StorageUnavailableError

    files = [publish(sent, f"{name}.txt", b"a") for name in "ab"]
    shutil.rmtree(store_root)
    with pytest.raises(StoreError):
        blob_store().free_bytes()
    with pytest.raises(StorageUnavailableError):
        archive_request(transfer=sent.transfer, files=files)


def test_the_digest_of_a_choice_does_not_depend_on_its_order():
    ids = [uuid.uuid4() for _ in range(3)]
    assert rules.archive_digest(ids) == rules.archive_digest(ids[::-1])
    assert rules.archive_digest(ids) != rules.archive_digest(ids[:2])
    assert len(rules.archive_digest(ids)) == hashlib.sha256().digest_size * 2
