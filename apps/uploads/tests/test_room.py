"""Limits under concurrency: of a file, a transfer, an account, an address and the store. Real threads, real disks."""

import os
import subprocess
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.processing.services import file_process
from apps.transfers.errors import FileTooLargeError
from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.transfers.services import transfer_create, transfer_delete
from apps.uploads.errors import (
    QuotaExceededError,
    StorageFullError,
    StorageUnavailableError,
    TransferTooLargeError,
)
from apps.uploads.expiring import uploads_expire
from apps.uploads.models import Upload
from apps.uploads.room import Payer
from apps.uploads.rules import Metadata
from apps.uploads.services import upload_append, upload_create, upload_create_alone, upload_terminate
from apps.uploads.store import blob_store
from apps.uploads.tests.conftest import Body

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("doorbell", "store_root")]
NAMED = Metadata(name="a.bin")
CROWD = 50
FITS = 7
EACH = 1000  # bytes


def crowd(work: Callable[[int], object], count: int = CROWD) -> Counter[str]:
    """`work` in so many threads at the same moment; what came of it, by name."""
    start = threading.Barrier(count)

    def run(number: int) -> str:
        start.wait(60)
        try:
            work(number)
            return "ok"
        except Exception as error:
            return type(error).__name__
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as threads:
        return Counter(threads.map(run, range(count)))


def new_transfer(owner: User | None = None) -> Transfer:
    return transfer_create(owner=owner)[0]


def create(transfer: Transfer, length: int = EACH, address: str = "") -> Upload:
    return upload_create(transfer=transfer, length=length, metadata=NAMED, address=address)


def fill(upload: Upload, *, process: bool = True) -> None:
    assert upload.length is not None
    upload_append(upload_id=upload.pk, offset=0, announced=upload.length, source=Body(b"x" * upload.length))
    if process:
        assert process_file_of(upload)


def process_file_of(upload: Upload) -> bool:
    assert upload.file_id is not None
    return file_process(file_id=upload.file_id)


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice")


# --- Fifty at once


def test_fifty_creations_at_once_share_a_transfers_room_exactly(settings) -> None:
    settings.MAX_TRANSFER_BYTES = FITS * EACH + EACH // 2
    transfer = new_transfer()
    assert crowd(lambda _: create(transfer)) == {"ok": FITS, "TransferTooLargeError": CROWD - FITS}
    assert (Upload.objects.count(), File.objects.count()) == (FITS, FITS)


def test_fifty_creations_at_once_share_an_accounts_room_over_its_transfers(settings, alice: User) -> None:
    settings.MAX_ACCOUNT_BYTES = FITS * EACH
    transfers = [new_transfer(alice) for _ in range(5)]
    outcome = crowd(lambda number: create(transfers[number % 5]))
    assert outcome == {"ok": FITS, "QuotaExceededError": CROWD - FITS}


def test_fifty_creations_at_once_share_an_addresss_room_over_its_transfers(settings) -> None:
    settings.MAX_ADDRESS_BYTES = FITS * EACH
    outcome = crowd(
        lambda _: upload_create_alone(owner=None, length=EACH, metadata=NAMED, address="203.0.113.7")
    )
    assert outcome == {"ok": FITS, "QuotaExceededError": CROWD - FITS}
    # Whoever was refused left no empty transfer behind either.
    assert Transfer.objects.count() == FITS


def test_fifty_appends_at_once_cannot_bring_more_than_was_announced(settings) -> None:
    settings.LEASE_WAIT_SECONDS = 0.0
    upload = create(new_transfer())
    body = b"x" * EACH
    crowd(lambda _: upload_append(upload_id=upload.pk, offset=0, announced=EACH, source=Body(body)))
    upload.refresh_from_db()
    assert upload.offset == EACH == sum(upload.parts.values_list("size", flat=True))


# --- Each limit's refusal


def test_a_file_larger_than_a_file_may_be_is_refused(settings) -> None:
    settings.MAX_FILE_BYTES = EACH
    transfer = new_transfer()
    create(transfer)
    with pytest.raises(FileTooLargeError):
        create(transfer, EACH + 1)


def test_a_transfer_that_is_full_to_the_byte_takes_nothing_more(settings) -> None:
    settings.MAX_TRANSFER_BYTES = EACH
    transfer = new_transfer()
    create(transfer)
    with pytest.raises(TransferTooLargeError) as refused:
        create(transfer, 1)
    assert refused.value.data == {"max_bytes": EACH}
    create(transfer, 0)


def test_another_account_and_another_address_have_rooms_of_their_own(settings, alice: User) -> None:
    settings.MAX_ACCOUNT_BYTES = settings.MAX_ADDRESS_BYTES = EACH
    bob = User.objects.create_user("bob")
    create(new_transfer(alice))
    create(new_transfer(bob))
    create(new_transfer(), address="203.0.113.7")
    create(new_transfer(), address="203.0.113.8")
    # Who is signed in pays as an account, wherever that is.
    with pytest.raises(QuotaExceededError):
        create(new_transfer(alice), address="203.0.113.9")


def test_a_limit_of_nought_is_no_limit(settings, alice: User) -> None:
    settings.MAX_TRANSFER_BYTES = settings.MAX_ACCOUNT_BYTES = settings.MAX_ADDRESS_BYTES = 0
    create(new_transfer(alice), 10**10)
    create(new_transfer(), 10**10, address="203.0.113.7")


@pytest.mark.parametrize(
    ("usual", "own", "allowed"), [(EACH, 2 * EACH, 2), (3 * EACH, EACH, 1), (EACH, 0, 5)]
)
def test_an_accounts_own_quota_counts_instead_of_the_usual_one(
    settings, alice: User, usual: int, own: int, allowed: int
) -> None:
    settings.MAX_ACCOUNT_BYTES = usual
    User.objects.filter(pk=alice.pk).update(quota_bytes=own)
    transfer = new_transfer(alice)
    for _ in range(allowed):
        create(transfer)
    if own:
        with pytest.raises(QuotaExceededError) as refused:
            create(transfer)
        assert refused.value.data == {"max_bytes": own}


def send(address: str) -> Any:
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": str(EACH),
        "Upload-Metadata": f"filename {b64encode(b'a.bin').decode()}",
        "X-Forwarded-For": address,
    }
    return Client().generic("POST", "/files/", headers=headers)


def test_the_addresses_of_one_ipv6_network_are_one_sender(settings) -> None:
    settings.MAX_ADDRESS_BYTES = EACH
    assert send("2001:db8:1:2::1").status_code == 201
    refused = send("2001:db8:1:2:ffff::9")
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "quota_exceeded")
    assert send("2001:db8:1:3::1").status_code == 201


def test_an_address_is_kept_as_a_digest() -> None:
    upload = create(new_transfer(), address="203.0.113.7")
    assert "203" not in upload.address
    assert upload.address == Payer.of(new_transfer(), "203.0.113.7").address


# --- Giving room back


def give_back_by_terminating(upload: Upload) -> None:
    upload_terminate(upload_id=upload.pk)


def give_back_by_expiring(upload: Upload) -> None:
    Upload.objects.filter(pk=upload.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert uploads_expire() == 1


def give_back_by_removing_the_transfer(upload: Upload) -> None:
    transfer_delete(transfer=upload.of_transfer)


def give_back_by_being_rejected(upload: Upload) -> None:
    File.objects.filter(upload=upload).update(expected_sha256="0" * 64)
    fill(upload, process=False)
    process_file_of(upload)
    assert File.objects.get(upload=upload).state == FileState.REJECTED


@pytest.mark.parametrize(
    "give_back",
    [
        give_back_by_terminating,
        give_back_by_expiring,
        give_back_by_removing_the_transfer,
        give_back_by_being_rejected,
    ],
)
def test_what_is_gone_gives_its_room_back(settings, alice: User, give_back: Callable[[Upload], None]) -> None:
    settings.MAX_ACCOUNT_BYTES = EACH
    upload = create(new_transfer(alice))
    with pytest.raises(QuotaExceededError):
        create(new_transfer(alice))
    give_back(upload)
    create(new_transfer(alice))
    assert store_need() == 2 * EACH


def store_need() -> int:
    seen: list[int] = []
    with connection.cursor() as cursor:
        cursor.execute(Upload.objects.store_need(seen.append).sql)
        return int(cursor.fetchone()[0])


def test_a_published_file_counts_for_its_sender_but_asks_for_no_more_of_the_store(
    settings, alice: User
) -> None:
    settings.MAX_ACCOUNT_BYTES = settings.MAX_TRANSFER_BYTES = EACH
    transfer = new_transfer(alice)
    upload = create(transfer)
    assert store_need() == 2 * EACH
    fill(upload, process=False)
    assert store_need() == EACH
    process_file_of(upload)
    assert store_need() == 0
    with pytest.raises(TransferTooLargeError):
        create(transfer, 1)
    with pytest.raises(QuotaExceededError):
        create(new_transfer(alice), 1)


# --- The store's reserve, on a real file system

DISK_BYTES, RESERVE_BYTES, FILE_BYTES = 32 * 2**20, 8 * 2**20, 2 * 2**20


@pytest.fixture
def small_store(tmp_path: Path, settings) -> Iterator[Path]:
    """A store on a file system of its own with 24 MiB above the reserve."""
    folder = tmp_path / "small"
    folder.mkdir()
    size = f"size={DISK_BYTES}"
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True
        ).returncode
    ):
        pytest.skip("mounting a file system of its own needs root, and a machine that lets it")
    settings.STORE_ROOT, settings.MIN_FREE_BYTES = folder, RESERVE_BYTES
    blob_store().prepare()
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_fifty_who_announce_at_once_leave_the_reserve_alone_to_the_last_byte(small_store: Path) -> None:
    """Each file needs its place twice while it is published: 24 MiB take six of 2 MiB, or five with the folders."""
    transfers = [new_transfer() for _ in range(CROWD)]  # nothing but the store is shared
    outcome = crowd(lambda number: create(transfers[number], FILE_BYTES))
    assert outcome["ok"] in {5, 6}
    assert outcome["ok"] + outcome["StorageFullError"] == CROWD
    least = [DISK_BYTES]
    for upload in Upload.objects.all():
        fill(upload, process=False)
        least.append(blob_store().free_bytes() or 0)
    for file in File.objects.all():
        assert file_process(file_id=file.pk)
        least.append(blob_store().free_bytes() or 0)
    assert min(least) >= RESERVE_BYTES
    assert File.objects.filter(state=FileState.READY).count() == outcome["ok"]


def test_creations_while_others_write_and_publish_leave_the_reserve_alone(small_store: Path) -> None:
    """What is free and what is needed change all the time: no moment may show room that is not there."""
    least, done = [DISK_BYTES], threading.Event()

    def watch() -> None:
        while not done.is_set():
            least.append(blob_store().free_bytes() or 0)
            time.sleep(0.002)

    def send_one(_: int) -> None:
        fill(create(new_transfer(), FILE_BYTES))

    watcher = threading.Thread(target=watch)
    watcher.start()
    outcome: Counter[str] = Counter()
    for _ in range(4):
        outcome += crowd(send_one, 6)
    done.set()
    watcher.join()
    assert set(outcome) <= {"ok", "StorageFullError"}
    assert outcome["ok"] >= 8
    assert min(least) >= RESERVE_BYTES


def test_what_is_removed_makes_room_in_the_store(small_store: Path) -> None:
    upload = create(new_transfer(), 10 * 2**20)
    with pytest.raises(StorageFullError):
        create(new_transfer(), 4 * 2**20)
    upload_terminate(upload_id=upload.pk)
    create(new_transfer(), 4 * 2**20)


def test_a_store_that_is_lost_between_two_looks_is_unavailable(
    store_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = new_transfer()

    def gone(payload: object) -> None:
        store_root.rename(store_root.with_name("gone"))

    monkeypatch.setattr("apps.uploads.room._check_transfer", gone)
    with pytest.raises(StorageUnavailableError):
        create(transfer)
    assert not Upload.objects.exists()


# --- Everything at once


def run_one_of(kinds: list[Callable[[], object]], number: int) -> None:
    kinds[number % len(kinds)]()


def test_creating_filling_expiring_processing_and_removing_at_once_end_in_no_deadlock(alice: User) -> None:
    allowed = {
        *("ok", "NotFoundError", "UploadNotFoundError", "UploadLockedError", "UploadFinishedError"),
        *("UploadOffsetConflictError", "UploadLeaseLostError", "TransferExpiredError"),
    }
    for _ in range(4):
        transfer = new_transfer(alice)
        whole = [create(transfer) for _ in range(2)]
        for upload in whole:
            fill(upload, process=False)
        late = [create(transfer) for _ in range(3)]
        Upload.objects.filter(pk=late[0].pk).update(expires_at=timezone.now() - timedelta(seconds=1))
        kinds: list[Callable[[], object]] = [
            partial(create, transfer),
            partial(fill, late[1], process=False),
            partial(upload_terminate, upload_id=late[2].pk),
            uploads_expire,
            partial(process_file_of, whole[0]),
            partial(process_file_of, whole[1]),
            partial(transfer_delete, transfer=Transfer.objects.get(pk=transfer.pk)),
        ]
        outcome = crowd(partial(run_one_of, kinds), 21)
        assert set(outcome) <= allowed | {"DoesNotExist"}, outcome
        Transfer.objects.filter(pk=transfer.pk).delete()
    assert not Upload.objects.exists()
