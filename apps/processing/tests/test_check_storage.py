"""Database and blob store compared and mended, in both directions, on both stores, also while the site is live."""

import json
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from apps.processing import checking, mending
from apps.processing.checking import Finding, Trouble, storage_check
from apps.processing.models import Archive, Preview
from apps.processing.services import bytes_discard, file_process, orphans_discard
from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.transfers.services import transfer_create, transfer_delete
from apps.uploads.leasing import lease_return, lease_take, upload_settle
from apps.uploads.models import Part, Upload
from apps.uploads.ports import BlobStore
from apps.uploads.rules import Metadata, part_key
from apps.uploads.services import upload_append, upload_create
from apps.uploads.store import blob_store
from apps.uploads.tests.conftest import Body

pytestmark = pytest.mark.django_db(transaction=True)
PART = 10  # bytes
NEW_KEY = "ab/cd/abcd0000000000000000000000000000"


@pytest.fixture(params=["filesystem", "s3"])
def store(request: pytest.FixtureRequest, doorbell: object) -> BlobStore:
    request.getfixturevalue({"filesystem": "store_root", "s3": "s3_store"}[request.param])
    return blob_store()


@pytest.fixture
def files(store_root: Path, doorbell: object) -> Path:
    """Where only the file system matters."""
    return store_root


@pytest.fixture
def doorbell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is at hand: bytes go right after their rows."""

    def ring(name: str, args: tuple[Any, ...]) -> None:
        if name == "processing.discard":
            bytes_discard(**args[0])

    monkeypatch.setattr("apps.common.enqueue._send", ring)


def new_upload(parts: int, *, whole: bool = True, transfer: Transfer | None = None) -> Upload:
    """An upload of `parts` parts that arrived, of `parts` or one more."""
    length = PART * (parts if whole else parts + 1)
    transfer = transfer or transfer_create(owner=None)[0]
    upload = upload_create(transfer=transfer, length=length, metadata=Metadata(name="a.bin"))
    for number in range(parts):
        body = Body(b"%d" % (number % 10) * PART)
        upload_append(upload_id=upload.pk, offset=number * PART, announced=PART, source=body)
    upload.refresh_from_db()
    return upload


def file_of(upload: Upload) -> File:
    return File.objects.get(upload=upload)


def published() -> File:
    upload = new_upload(2)
    assert file_process(file_id=file_of(upload).pk)
    return file_of(upload)


def stray_part(store: BlobStore, upload_id: uuid.UUID, key: str = "") -> str:
    key = key or part_key(0, uuid.uuid4().hex)
    writer = store.open_part(upload_id, key)
    writer.write(b"stray")
    writer.commit()
    return key


def stray_blob(store: BlobStore, key: str = NEW_KEY) -> None:
    writer = store.open_blob(key)
    writer.write(b"stray")
    writer.commit()


def part_keys(upload: Upload) -> list[str]:
    return list(Part.objects.filter(upload=upload).values_list("key", flat=True))


def check(*options: str) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """Exit code, findings and summary."""
    out, code = StringIO(), 0
    try:
        call_command("check_storage", "--json", "--older-than", "0", *options, stdout=out, stderr=StringIO())
    except SystemExit as ended:
        code = int(str(ended.code))
    *found, summary = [json.loads(line) for line in out.getvalue().splitlines()]
    return code, found, summary


def kinds(*options: str) -> set[str]:
    code, found, _ = check(*options)
    assert code == (1 if any(not each["mended"] for each in found) else 0)
    return {each["trouble"] for each in found}


def mended(*expected: Trouble) -> None:
    """Found, mended, and gone."""
    aged()
    assert kinds() == {trouble.value for trouble in expected}
    code, found, _ = check("--repair")
    assert (code, {each["mended"] for each in found}) == (0, {True})
    assert check()[:2] == (0, [])


def aged() -> None:
    """Some stores keep whole seconds only; nothing is as old as nought seconds before the next one."""
    if not hasattr(blob_store(), "_root"):
        time.sleep(1.1)


# --- Nothing wrong


def test_a_site_in_use_has_nothing_to_find(store: BlobStore) -> None:
    new_upload(3, whole=False)
    new_upload(2)
    published()
    new_upload(0, whole=False)
    transfer_delete(transfer=published().transfer)
    aged()
    assert check() == (0, [], {"found": 0, "mended": 0, "counts": {}})


def test_partial_uploads_and_what_they_became_part_of_are_right(files: Path) -> None:
    transfer = transfer_create(owner=None)[0]
    until = timezone.now() + timedelta(hours=1)
    partial = new_upload(2, transfer=transfer)
    file = file_of(partial)
    final = Upload.objects.create(
        transfer=transfer, length=20, offset=20, reserved=20, file=None, expires_at=until
    )
    Upload.objects.filter(pk=partial.pk).update(file=None)
    assert kinds() == {"offset_wrong"}  # as long as nothing says what the second one is made of
    Upload.objects.filter(pk=partial.pk).update(final=final, position=0, reserved=0)
    Upload.objects.filter(pk=final.pk).update(file=file)
    assert kinds() == set()


def test_a_holder_that_writes_is_left_alone(store: BlobStore) -> None:
    upload = new_upload(1, whole=False)
    lease = lease_take(upload_id=upload.pk, offset=PART)
    key = stray_part(store, upload.pk, part_key(PART, lease.token.hex))
    aged()
    assert kinds("--repair") == set()
    assert {part.key for part in store.list_parts(upload.pk)} == {*part_keys(upload), key}


def test_a_worker_that_assembles_is_left_alone(store: BlobStore) -> None:
    file, token = file_of(new_upload(1)), uuid.uuid4()
    assert File.objects.claim(file.pk, token, 60)
    key = f"{token.hex[:2]}/{token.hex[2:4]}/{token.hex}"
    unfinished = store.open_blob(key)
    unfinished.write(bytes(12 * 2**20))
    aged()
    assert kinds("--repair") == set()
    unfinished.commit()
    aged()
    assert kinds("--repair") == set()
    assert store.blob_size(key) == 12 * 2**20


# --- Bytes of nobody


def test_staged_bytes_of_an_upload_that_is_gone_go(store: BlobStore) -> None:
    stray_part(store, uuid.uuid4())
    mended(Trouble.UPLOAD_UNNAMED)


def test_a_part_that_no_row_names_goes_and_its_neighbours_stay(store: BlobStore) -> None:
    upload = new_upload(2, whole=False)
    stray_part(store, upload.pk)
    mended(Trouble.PART_UNNAMED)
    assert sorted(part.key for part in store.list_parts(upload.pk)) == sorted(part_keys(upload))


def test_a_part_of_a_holder_whose_lease_ran_out_goes(store: BlobStore) -> None:
    upload = new_upload(1, whole=False)
    lease = lease_take(upload_id=upload.pk, offset=PART)
    stray_part(store, upload.pk, part_key(PART, lease.token.hex))
    Upload.objects.filter(pk=upload.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    mended(Trouble.PART_UNNAMED)


def test_a_part_whose_commit_is_under_way_is_not_removed(files: Path) -> None:
    """The rows that others see say that the lease ran out; the commit that began before that has not ended."""
    upload = new_upload(1, whole=False)
    lease = lease_take(upload_id=upload.pk, offset=PART)
    key = stray_part(blob_store(), upload.pk, part_key(PART, lease.token.hex))
    soon = timezone.now() + timedelta(seconds=0.5)
    Upload.objects.filter(pk=upload.pk).update(lease_until=soon)

    def mend() -> bool:
        try:
            return mending.part_discard(store=blob_store(), upload_id=upload.pk, key=key)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            part = Part(upload_id=upload.pk, offset=PART, size=5, key=key)
            assert Upload.objects.advance(part, lease.token, expires_at=upload.expires_at, lease_seconds=60)
            time.sleep(0.6)
            trying = pool.submit(mend)
            time.sleep(0.3)
            assert not trying.done()
        assert trying.result(20) is False
    assert key in {part.key for part in blob_store().list_parts(upload.pk)}


def test_a_blob_of_no_file_goes(store: BlobStore) -> None:
    kept = published()
    stray_blob(store)
    mended(Trouble.BLOB_UNNAMED)
    assert store.blob_size(kept.blob_key) == kept.size


def test_bytes_of_archives_and_previews_are_somebodys(files: Path) -> None:
    file = published()
    keys = [f"{number:02x}/{number:02x}/{uuid.uuid4().hex}" for number in (1, 2, 3)]
    for key in keys:
        writer = blob_store().open_blob(key)
        writer.write(b"x")
        writer.commit()
    Archive.objects.create(
        transfer=file.transfer, digest="a", file_ids=[file.pk], bytes_total=1, state="ready", blob_key=keys[0]
    )
    Preview.objects.create(file=file, kind="text", blob_key=keys[1], content_type="text/plain", size=1)
    assert kinds("--older-than", "0s") == {"blob_unnamed"}
    assert kinds("--older-than", "0s", "--repair") == {"blob_unnamed"}
    assert [blob_store().blob_size(key) for key in keys] == [1, 1, None]


def test_a_blob_that_nobody_finishes_goes(store: BlobStore) -> None:
    writer = store.open_blob(NEW_KEY)
    writer.write(bytes(12 * 2**20))
    mended(Trouble.BLOB_UNFINISHED)
    writer.discard()


def test_bytes_that_are_not_old_enough_are_left_to_a_later_check(files: Path) -> None:
    stray_part(blob_store(), uuid.uuid4())
    stray_blob(blob_store())
    assert kinds("--older-than", "1h", "--repair") == set()
    assert kinds() == {"upload_unnamed", "blob_unnamed"}


def test_the_hourly_sweep_finds_the_same_bytes_of_nobody(files: Path) -> None:
    stray_part(blob_store(), uuid.uuid4())
    stray_blob(blob_store())
    blob_store().open_blob(NEW_KEY.replace("c", "d"))
    time.sleep(0.02)
    assert orphans_discard(older_than_seconds=0.01) == 3
    assert kinds() == set()


# --- Rows without bytes


def test_an_upload_that_lost_parts_is_set_back_and_goes_on_from_there(store: BlobStore) -> None:
    upload = new_upload(3, whole=False)
    store.discard_part(upload.pk, part_keys(upload)[1])
    aged()
    assert kinds() == {"part_lost"}
    check("--repair")
    assert upload_settle(upload_id=upload.pk, wait_seconds=0).offset == PART
    for number in range(1, 4):
        body = Body(b"%d" % number * PART)
        upload_append(upload_id=upload.pk, offset=number * PART, announced=PART, source=body)
    assert file_process(file_id=file_of(upload).pk)
    blob = store.read_head(file_of(upload).blob_key, 100)
    assert blob == b"0" * PART + b"1" * PART + b"2" * PART + b"3" * PART


def test_an_upload_whose_part_became_shorter_is_set_back(files: Path) -> None:
    upload = new_upload(2, whole=False)
    (part,) = files.glob(f"staging/*/*/{part_keys(upload)[1]}")
    os.truncate(part, PART - 1)
    check("--repair")
    upload.refresh_from_db()
    assert (upload.offset, part_keys(upload)) == (PART, part_keys(upload)[:1])


def test_an_upload_that_is_appended_to_is_not_set_back(files: Path) -> None:
    upload = new_upload(2, whole=False)
    blob_store().discard_part(upload.pk, part_keys(upload)[0])
    lease = lease_take(upload_id=upload.pk, offset=2 * PART)
    code, found, _ = check("--repair")
    assert (code, [each["mended"] for each in found]) == (1, [False])
    lease_return(lease)
    check("--repair")
    assert Upload.objects.get(pk=upload.pk).offset == 0


def test_a_whole_upload_that_lost_parts_becomes_a_refused_file_and_gives_its_room_back(
    store: BlobStore,
) -> None:
    upload = new_upload(2)
    store.discard_part(upload.pk, part_keys(upload)[1])
    aged()
    assert kinds("--repair") == {"part_lost"}
    assert (file_of(upload).state, file_of(upload).reason) == (FileState.REJECTED, mending.LOST)
    upload.refresh_from_db()
    assert (upload.reserved, upload.staged) == (0, False)
    # What is left of its bytes goes like that of any refused file.
    assert kinds("--repair") == {"upload_unnamed"}
    assert check()[0] == 0


def test_a_ready_file_without_its_blob_is_refused_with_a_reason(store: BlobStore) -> None:
    lost, kept = published(), published()
    store.discard_blob(lost.blob_key)
    mended(Trouble.BLOB_LOST)
    lost.refresh_from_db()
    assert (lost.state, lost.reason) == (FileState.REJECTED, mending.LOST)
    kept.refresh_from_db()
    assert kept.state == FileState.READY


def test_a_ready_file_whose_blob_became_shorter_is_refused(files: Path) -> None:
    file = published()
    os.truncate(files / "blobs" / file.blob_key, file.size - 1)
    assert kinds("--repair") == {"blob_damaged"}
    assert kinds("--repair") == {"blob_unnamed"}
    file.refresh_from_db()
    assert file.state == FileState.REJECTED


def test_losses_beyond_what_is_believable_are_told_and_not_mended(files: Path) -> None:
    lost = [published() for _ in range(3)]
    for file in lost:
        blob_store().discard_blob(file.blob_key)
    code, found, summary = check("--repair", "--most-lost", "2")
    assert (code, len(found), summary["mended"]) == (1, 3, 0)
    assert File.objects.filter(state=FileState.READY).count() == 3
    assert check("--repair", "--most-lost", "3")[2]["mended"] == 3


def test_a_store_that_is_not_there_is_no_loss(files: Path) -> None:
    file = published()
    files.rename(files.with_name("unmounted"))
    with pytest.raises(CommandError, match="nothing can be said"):
        check("--repair")
    file.refresh_from_db()
    assert file.state == FileState.READY


# --- Numbers that do not fit


@pytest.mark.parametrize("offset", [PART, 3 * PART - 1])
def test_an_offset_that_is_not_the_sum_of_the_parts_is_set_back_to_what_is_there(
    files: Path, offset: int
) -> None:
    upload = new_upload(2, whole=False)
    Upload.objects.filter(pk=upload.pk).update(offset=offset)
    assert kinds() == {"offset_wrong"}
    check("--repair")
    upload.refresh_from_db()
    assert upload.offset == min(offset, 2 * PART)
    assert kinds("--repair") <= {"part_unnamed"}
    assert check()[0] == 0


def test_a_gap_between_parts_is_found(files: Path) -> None:
    upload = new_upload(3, whole=False)
    Part.objects.get(upload=upload, offset=PART).delete()
    assert "offset_wrong" in kinds("--repair")
    assert Upload.objects.get(pk=upload.pk).offset == PART


def test_less_room_than_was_announced_is_reserved_again(files: Path) -> None:
    upload = new_upload(1, whole=False)
    Upload.objects.filter(pk=upload.pk).update(reserved=5)
    mended(Trouble.ROOM_WRONG)
    assert Upload.objects.get(pk=upload.pk).reserved == 2 * PART


def test_room_that_a_killed_worker_left_reserved_is_given_back(files: Path) -> None:
    ready, refused = published(), new_upload(1)
    Upload.objects.filter(file=ready).update(staged=True)
    File.objects.filter(upload=refused).update(state=FileState.REJECTED)
    blob_store().discard_upload(refused.pk)
    mended(Trouble.ROOM_WRONG)
    assert list(Upload.objects.filter(file=ready).values_list("reserved", "staged")) == [(2 * PART, False)]
    assert list(Upload.objects.filter(pk=refused.pk).values_list("reserved", "staged")) == [(0, False)]


def test_the_hourly_sweep_gives_such_room_back_too(files: Path) -> None:
    ready = published()
    Upload.objects.filter(file=ready).update(staged=True)
    assert mending.rooms_tidy() == 0  # somebody may be at it
    assert mending.rooms_tidy(older_than_seconds=0) == 1


# --- What is found twice, or was right by now


def test_mending_looks_again(files: Path) -> None:
    """A finding may be old: none of these is wrong."""
    file, arriving = published(), new_upload(1, whole=False)
    (key,) = part_keys(arriving)
    for finding in (
        Finding(Trouble.BLOB_LOST, "", file_id=file.pk, key="another/blob"),
        Finding(Trouble.PART_UNNAMED, "", upload_id=arriving.pk, key=key),
        Finding(Trouble.PART_LOST, "", upload_id=arriving.pk, key=key),
        Finding(Trouble.OFFSET_WRONG, "", upload_id=arriving.pk),
        Finding(Trouble.ROOM_WRONG, "", upload_id=arriving.pk),
        Finding(Trouble.OFFSET_WRONG, "", upload_id=uuid.uuid4()),
    ):
        assert mending.finding_mend(store=blob_store(), finding=finding) is False
    assert kinds() == set()


# --- The command


def test_people_read_a_table_and_a_sum(files: Path) -> None:
    stray_blob(blob_store())
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("check_storage", "--older-than", "0", stdout=out)
    assert ended.value.code == 1
    assert "blob_unnamed" in out.getvalue()
    assert NEW_KEY in out.getvalue()
    assert "1 found (1 blob_unnamed), 0 mended." in out.getvalue()


def test_people_are_told_that_all_is_well(files: Path) -> None:
    out = StringIO()
    call_command("check_storage", stdout=out)
    assert out.getvalue() == "Database and store agree.\n"


@pytest.mark.parametrize("age", ["soon", "-1", "1w", ""])
def test_an_age_that_is_none_is_refused(files: Path, age: str) -> None:
    with pytest.raises(CommandError, match="older-than"):
        call_command("check_storage", f"--older-than={age}")


@contextmanager
def counted_queries() -> Iterator[Counter[str]]:
    counts: Counter[str] = Counter()

    def count(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        counts["queries"] += 1
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        yield counts


def test_files_are_read_in_pages_and_each_row_once(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "PAGE", 2)
    for _ in range(5):
        published()
    with counted_queries() as counts:
        assert list(checking.files_check(blob_store())) == []
    assert counts["queries"] == 4


# --- A live site


def test_a_live_site_is_found_to_be_right_again_and_again_and_nothing_is_taken_from_it(
    files: Path, settings
) -> None:
    """Uploads, processing and deletions in other threads while one checks and repairs with no mercy for new bytes."""
    settings.FSYNC = False
    settings.COMMIT_BYTES = PART
    stop, ready, failures = threading.Event(), Counter[str](), []

    def busy(number: int) -> None:
        try:
            while not stop.is_set():
                _one_life(ready, delete=number % 2 == 0)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    lives = [threading.Thread(target=busy, args=(number,)) for number in range(4)]
    for life in lives:
        life.start()
    wrong: Counter[str] = Counter()
    until = time.monotonic() + 8
    while time.monotonic() < until:
        for finding in storage_check(store=blob_store(), older_than_seconds=0):
            wrong[finding.trouble.value] += 1
            mending.finding_mend(store=blob_store(), finding=finding)
    stop.set()
    for life in lives:
        life.join(60)
    assert failures == []
    assert ready["files"] > 10
    # Bytes that are on their way out may be seen between their rows' end and their own; nothing else.
    assert set(wrong) <= {"upload_unnamed", "blob_unnamed", "room_wrong", "part_unnamed"}
    assert check("--repair")[0] == 0
    assert check()[:2] == (0, [])


def _one_life(ready: Counter[str], *, delete: bool) -> None:
    transfer = transfer_create(owner=None)[0]
    upload = upload_create(transfer=transfer, length=5 * PART, metadata=Metadata(name="a.bin"))
    blocks = [b"x" * PART] * 5
    for offset in (0, 2 * PART):
        took = blocks[:2] if offset == 0 else blocks[2:]
        upload_append(upload_id=upload.pk, offset=offset, announced=PART * len(took), source=Body(*took))
    file = file_of(upload)
    assert file_process(file_id=file.pk)
    file.refresh_from_db()
    assert blob_store().read_head(file.blob_key, 100) == b"x" * 5 * PART
    ready["files"] += 1
    if delete:
        transfer_delete(transfer=transfer)
