"""Processing: assemble, hash, publish, claims, sweeps and cleaning up. Real database, real store."""

import hashlib
import os
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.processing import services
from apps.processing.rules import MOST_ATTEMPTS
from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.uploads.models import Part, Upload
from apps.uploads.ports import StoreError
from apps.uploads.store import blob_store
from apps.uploads.stores.filesystem import FileWriter

pytestmark = pytest.mark.django_db(transaction=True)
Arrive = Callable[..., File]


def blob(file: File) -> bytes:
    return blob_store().read_head(file.blob_key, file.size + 1)


def blobs(root: Path) -> list[Path]:
    return [path for path in (root / "blobs").rglob("*") if path.is_file()]


def test_a_file_becomes_ready_with_its_hash_type_and_bytes(arrive: Arrive, store_root: Path) -> None:
    file = arrive(b"hello ", b"world")
    assert services.file_process(file_id=file.pk) is True
    file.refresh_from_db()
    assert file.state == FileState.READY
    assert file.sha256 == hashlib.sha256(b"hello world").hexdigest()
    assert file.content_type == "text/plain"
    assert blob(file) == b"hello world"


def test_the_staged_parts_are_gone_once_a_file_is_ready(arrive: Arrive, store_root: Path) -> None:
    file = arrive(b"hello")
    services.file_process(file_id=file.pk)
    assert not Part.objects.exists()
    assert not [path for path in (store_root / "staging").rglob("*") if path.is_file()]


def test_the_upload_still_tells_its_offset_after_a_file_is_ready(arrive: Arrive) -> None:
    file = arrive(b"hello")
    services.file_process(file_id=file.pk)
    assert Upload.objects.get(file=file).offset == 5


def test_an_empty_file_becomes_ready(arrive: Arrive) -> None:
    file = arrive()
    services.file_process(file_id=file.pk)
    file.refresh_from_db()
    assert (file.state, file.sha256) == (FileState.READY, hashlib.sha256(b"").hexdigest())


def test_a_ready_file_is_not_processed_again(arrive: Arrive, store_root: Path) -> None:
    file = arrive(b"hello")
    services.file_process(file_id=file.pk)
    assert services.file_process(file_id=file.pk) is False
    assert len(blobs(store_root)) == 1


def test_a_matching_checksum_of_the_senders_is_accepted(arrive: Arrive) -> None:
    file = arrive(b"hello", expected_sha256=hashlib.sha256(b"hello").hexdigest())
    services.file_process(file_id=file.pk)
    file.refresh_from_db()
    assert file.state == FileState.READY


def test_a_wrong_checksum_of_the_senders_rejects_the_file(arrive: Arrive, store_root: Path) -> None:
    file = arrive(b"hello", expected_sha256="0" * 64)
    services.file_process(file_id=file.pk)
    file.refresh_from_db()
    assert file.state == FileState.REJECTED
    assert "checksum" in file.reason
    assert blobs(store_root) == []


def lost(file: File) -> None:
    blob_store().discard_upload(Upload.objects.get(file=file).pk)


def test_a_file_with_a_lost_part_is_tried_again(arrive: Arrive, store_root: Path) -> None:
    file = arrive(b"hello ", b"world")
    lost(file)
    assert services.file_process(file_id=file.pk) is False
    file.refresh_from_db()
    assert (file.state, file.attempts) == (FileState.PROCESSING, 1)
    assert file.trouble == "a part is gone"


def test_a_file_whose_part_stays_lost_is_rejected_with_a_reason(arrive: Arrive, store_root: Path) -> None:
    file = arrive(b"hello ", b"world", attempts=MOST_ATTEMPTS)
    lost(file)
    services.file_process(file_id=file.pk)
    file.refresh_from_db()
    assert file.state == FileState.REJECTED
    assert file.reason


def test_a_store_that_is_not_mounted_costs_nothing(arrive: Arrive, store_root: Path) -> None:
    file = arrive(b"hello")
    store_root.rename(store_root.with_name("elsewhere"))
    store_root.mkdir()
    assert services.file_process(file_id=file.pk) is False
    assert list(store_root.iterdir()) == []
    file.refresh_from_db()
    assert (file.state, file.attempts) == (FileState.PROCESSING, 0)
    store_root.rmdir()
    store_root.with_name("elsewhere").rename(store_root)
    File.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert services.file_process(file_id=file.pk) is True


def test_a_claim_is_renewed_before_the_last_wait_for_the_disk(
    arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = arrive(b"hello")
    commit = FileWriter.commit

    def nearly_over_then_commit(writer: FileWriter) -> None:
        left.append((File.objects.get(pk=file.pk).claimed_until or timezone.now()) - timezone.now())
        commit(writer)

    left: list[timedelta] = []
    claim_began = services.file_claim

    def late(*, file_id: uuid.UUID) -> services.Claim | None:
        claim = claim_began(file_id=file_id)
        File.objects.update(claimed_until=timezone.now() + timedelta(seconds=1))
        return claim

    monkeypatch.setattr(services, "file_claim", late)
    monkeypatch.setattr(FileWriter, "commit", nearly_over_then_commit)
    assert services.file_process(file_id=file.pk) is True
    assert left[0] > timedelta(seconds=10)


def test_a_holder_that_wakes_up_late_cannot_change_what_was_published(
    arrive: Arrive, store_root: Path
) -> None:
    file = arrive(b"hello")
    upload = Upload.objects.get(file=file)
    sleeper = blob_store().open_part(upload.pk, "0-sleeper")
    sleeper.write(b"HELLO")
    assert services.file_process(file_id=file.pk) is True
    file.refresh_from_db()
    sleeper.write(b" AND MORE")
    with suppress(StoreError):
        sleeper.commit()
    assert blob(file) == b"hello"
    assert file.sha256 == hashlib.sha256(b"hello").hexdigest()


def test_a_store_that_fails_leaves_the_file_for_later(arrive: Arrive, store_root: Path) -> None:
    file = arrive(b"hello")
    (store_root / "assembly").rmdir()
    (store_root / "assembly").write_text("in the way of the folder")
    assert services.file_process(file_id=file.pk) is False
    file.refresh_from_db()
    assert (file.state, file.attempts) == (FileState.PROCESSING, 0)
    (store_root / "assembly").unlink()
    (store_root / "assembly").mkdir()
    File.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert services.file_process(file_id=file.pk) is True


def test_a_file_that_kept_killing_its_workers_is_refused(arrive: Arrive) -> None:
    file = arrive(b"hello", attempts=MOST_ATTEMPTS)
    assert services.file_process(file_id=file.pk) is False
    file.refresh_from_db()
    assert file.state == FileState.REJECTED


def test_a_file_is_processed_by_one_of_many_workers(arrive: Arrive, store_root: Path) -> None:
    file = arrive(os.urandom(2**20))
    together = threading.Barrier(6)

    def one(_: int) -> bool:
        together.wait()
        try:
            return services.file_process(file_id=file.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(one, range(6))) == 1
    assert len(blobs(store_root)) == 1


def test_a_worker_whose_claim_ran_out_publishes_nothing(arrive: Arrive, store_root: Path) -> None:
    file = arrive(b"hello")
    sleeper = services.file_claim(file_id=file.pk)
    assert sleeper is not None
    File.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert services.file_process(file_id=file.pk) is True
    file.refresh_from_db()
    published = file.blob_key
    assert not File.objects.publish(
        file.pk, sleeper.token, blob_key="aa/bb/late", sha256="1" * 64, content_type="text/plain"
    )
    file.refresh_from_db()
    assert file.blob_key == published


def test_a_claimed_file_is_left_alone(arrive: Arrive) -> None:
    file = arrive(b"hello")
    assert services.file_claim(file_id=file.pk) is not None
    assert services.file_claim(file_id=file.pk) is None


def test_the_sweep_rings_for_files_nobody_owns(arrive: Arrive, doorbell: list[object]) -> None:
    waiting, owned, ready = arrive(b"a"), arrive(b"b"), arrive(b"c")
    services.file_claim(file_id=owned.pk)
    services.file_process(file_id=ready.pk)
    # What a file that got ready leads to: its mails, its preview.
    assert ("transfers.send_mails", (str(ready.transfer_id),)) in doorbell
    doorbell.clear()
    assert services.files_sweep() == 1
    assert doorbell == [("processing.process_file", (str(waiting.pk),))]


def test_the_sweep_rings_for_a_file_whose_worker_died(arrive: Arrive, doorbell: list[object]) -> None:
    file = arrive(b"a")
    services.file_claim(file_id=file.pk)
    File.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert services.files_sweep() == 1


def test_an_expired_transfer_loses_its_files_but_keeps_its_row(
    arrive: Arrive, transfer: Transfer, doorbell: list[Any], store_root: Path
) -> None:
    file = arrive(b"hello")
    services.file_process(file_id=file.pk)
    file.refresh_from_db()
    Transfer.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert services.transfers_expire() == 1
    assert not File.objects.exists()
    assert Transfer.objects.exists()
    name, arguments = doorbell[-1]
    what = arguments[0]
    assert (name, what["blob_keys"]) == ("processing.discard", [file.blob_key])
    services.bytes_discard(**what)
    assert blobs(store_root) == []


def test_a_transfer_that_expired_long_ago_is_forgotten(transfer: Transfer) -> None:
    Transfer.objects.update(expires_at=timezone.now() - timedelta(days=31))
    services.transfers_expire()
    assert not Transfer.objects.exists()


def test_a_stray_message_discards_nothing_that_is_used(arrive: Arrive, store_root: Path) -> None:
    file = arrive(b"hello")
    services.file_process(file_id=file.pk)
    file.refresh_from_db()
    services.bytes_discard(blob_keys=[file.blob_key], upload_ids=[])
    assert blob(file) == b"hello"


def test_bytes_that_nothing_names_are_collected_and_others_are_not(arrive: Arrive, store_root: Path) -> None:
    kept, waiting = arrive(b"kept"), arrive(b"waiting")
    services.file_process(file_id=kept.pk)
    kept.refresh_from_db()
    for key in ("aa/bb/orphan", "aa/bb/unfinished"):
        writer = blob_store().open_blob(key)
        writer.write(b"x")
        if key.endswith("orphan"):
            writer.commit()
    blob_store().open_part(uuid.uuid4(), "0-x").commit()
    time.sleep(0.02)
    assert services.orphans_discard(older_than_seconds=0.01) == 3
    assert blob(kept) == b"kept"
    assert services.file_process(file_id=waiting.pk) is True


class TestObjectStore:
    """The same steps where parts and blobs are objects."""

    @pytest.fixture(autouse=True)
    def _store(self, s3_store: Any) -> None:
        """For every test here."""

    def test_a_file_becomes_ready_with_its_hash_type_and_bytes(self, arrive: Arrive) -> None:
        parts = [b"a" * 6_000_000, b"b", b"c" * 6_000_000]
        file = arrive(*parts)
        assert services.file_process(file_id=file.pk) is True
        file.refresh_from_db()
        assert file.state == FileState.READY
        assert file.sha256 == hashlib.sha256(b"".join(parts)).hexdigest()
        assert (file.content_type, blob(file)) == ("text/plain", b"".join(parts))
        assert list(blob_store().old_uploads(-60)) == []

    def test_a_wrong_checksum_leaves_no_blob(self, arrive: Arrive) -> None:
        file = arrive(b"hello", expected_sha256="0" * 64)
        services.file_process(file_id=file.pk)
        file.refresh_from_db()
        assert file.state == FileState.REJECTED
        assert list(blob_store().old_blobs(-60)) == []

    def test_a_store_that_is_away_leaves_the_file_for_later(self, arrive: Arrive, settings: Any) -> None:
        file = arrive(b"hello")
        settings.ROLE, there, settings.S3_ENDPOINT_URL = "web", settings.S3_ENDPOINT_URL, "http://127.0.0.1:1"
        assert services.file_process(file_id=file.pk) is False
        file.refresh_from_db()
        assert (file.state, file.attempts) == (FileState.PROCESSING, 0)
        settings.S3_ENDPOINT_URL = there
        File.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        assert services.file_process(file_id=file.pk) is True

    def test_a_store_that_goes_away_once_a_file_is_published_costs_no_bytes(
        self, arrive: Arrive, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        file = arrive(b"hello")
        publish, there = File.objects.publish, settings.S3_ENDPOINT_URL

        def publish_and_lose_the_store(*args: Any, **kwargs: Any) -> bool:
            settings.ROLE, settings.S3_ENDPOINT_URL = "web", "http://127.0.0.1:1"
            return bool(publish(*args, **kwargs))

        monkeypatch.setattr(File.objects, "publish", publish_and_lose_the_store)
        assert services.file_process(file_id=file.pk) is True
        settings.S3_ENDPOINT_URL = there
        file.refresh_from_db()
        assert blob(file) == b"hello"
        monkeypatch.undo()
        assert services.orphans_discard(older_than_seconds=-60) == 1, (
            "the parts that could not be removed then"
        )
        assert blob(file) == b"hello"

    def test_orphans_are_removed_and_what_is_used_is_not(self, arrive: Arrive) -> None:
        used, waiting = arrive(b"used"), arrive(b"waiting")
        services.file_process(file_id=used.pk)
        used.refresh_from_db()
        writer = blob_store().open_blob("ab/cd/orphan")
        writer.write(b"nobody's")
        writer.commit()
        blob_store().open_blob("ab/cd/unfinished").write(bytes(6_000_000))
        lost = blob_store().open_part(uuid.uuid4(), "0-x")
        lost.write(b"nobody's either")
        lost.commit()
        assert services.orphans_discard(older_than_seconds=-60) == 3
        assert blob(used) == b"used"
        assert services.file_process(file_id=waiting.pk) is True
