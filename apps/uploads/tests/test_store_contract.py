"""The BlobStore port's contract, run against every adapter of it."""

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.uploads.ports import BlobStore, PartMissingError, PartRef, StoreError, StoreFullError
from apps.uploads.stores.filesystem import FilesystemStore

UPLOAD = uuid.uuid4()
KEY = "ab/cd/abcd0000000000000000000000000000"


@pytest.fixture(params=["filesystem"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    made = {"filesystem": lambda: FilesystemStore(tmp_path)}[request.param]()
    made.prepare()
    return made


def put_part(store: BlobStore, key: str, data: bytes) -> PartRef:
    writer = store.open_part(UPLOAD, key)
    writer.write(data)
    writer.commit()
    return PartRef(key, len(data))


def read(store: BlobStore, *parts: PartRef) -> bytes:
    return b"".join(bytes(block) for block in store.read_parts(UPLOAD, parts))


def put_blob(store: BlobStore, key: str, data: bytes) -> None:
    writer = store.open_blob(key)
    writer.write(data)
    writer.commit()


def test_committed_parts_are_read_back_in_the_order_asked_for(store: BlobStore) -> None:
    first, second = put_part(store, "0-a", b"hello "), put_part(store, "6-b", b"world")
    assert read(store, first, second) == b"hello world"


def test_a_part_larger_than_a_block_is_read_whole(store: BlobStore) -> None:
    data = os.urandom(3 * 2**20 + 17)
    assert read(store, put_part(store, "0-a", data)) == data


def test_a_writer_copies_what_it_is_given(store: BlobStore) -> None:
    buffer = bytearray(b"one")
    writer = store.open_part(UPLOAD, "0-a")
    writer.write(memoryview(buffer))
    buffer[:] = b"two"
    writer.commit()
    assert read(store, PartRef("0-a", 3)) == b"one"


def test_only_the_bytes_that_count_are_read(store: BlobStore) -> None:
    put_part(store, "0-a", b"counted, not counted")
    assert read(store, PartRef("0-a", 7)) == b"counted"


def test_a_part_that_is_gone_is_said_to_be(store: BlobStore) -> None:
    with pytest.raises(PartMissingError):
        read(store, PartRef("0-never", 1))


def test_a_part_shorter_than_committed_is_said_to_be(store: BlobStore) -> None:
    put_part(store, "0-a", b"abc")
    with pytest.raises(PartMissingError):
        read(store, PartRef("0-a", 4))


def test_a_discarded_part_is_gone_and_may_be_discarded_again(store: BlobStore) -> None:
    writer = store.open_part(UPLOAD, "0-a")
    writer.write(b"abc")
    writer.discard()
    writer.discard()
    with pytest.raises(PartMissingError):
        read(store, PartRef("0-a", 3))


def test_a_blob_appears_at_commit_and_not_before(store: BlobStore) -> None:
    writer = store.open_blob(KEY)
    writer.write(b"blob")
    with pytest.raises(PartMissingError):
        store.read_head(KEY, 4)
    writer.commit()
    assert store.read_head(KEY, 2) == b"bl"
    assert store.read_head(KEY, 100) == b"blob"


def test_an_empty_blob_is_a_blob(store: BlobStore) -> None:
    writer = store.open_blob(KEY)
    writer.commit()
    assert store.read_head(KEY, 10) == b""


def test_discarding_what_is_not_there_is_no_error(store: BlobStore) -> None:
    store.discard_upload(uuid.uuid4())
    store.discard_blob("no/ne/none")
    assert store.discard_unfinished(0) == 0


def test_a_discarded_upload_has_no_parts(store: BlobStore) -> None:
    part = put_part(store, "0-a", b"abc")
    store.discard_upload(UPLOAD)
    with pytest.raises(PartMissingError):
        read(store, part)


def test_a_discarded_blob_is_gone(store: BlobStore) -> None:
    put_blob(store, KEY, b"abc")
    store.discard_blob(KEY)
    with pytest.raises(PartMissingError):
        store.read_head(KEY, 1)


def test_only_old_runs_of_bytes_are_offered_for_removal(store: BlobStore) -> None:
    put_part(store, "0-a", b"abc")
    put_blob(store, KEY, b"abc")
    store.open_blob("ab/cd/unfinished").write(b"x")
    assert list(store.old_uploads(60)) == []
    assert list(store.old_blobs(60)) == []
    assert store.discard_unfinished(60) == 0
    time.sleep(0.02)
    assert list(store.old_uploads(0.01)) == [UPLOAD]
    assert list(store.old_blobs(0.01)) == [KEY]
    assert store.discard_unfinished(0.01) == 1


def test_free_space_is_a_number_of_bytes(store: BlobStore) -> None:
    free = store.free_bytes()
    assert free is None or free > 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MiB."""
    if os.geteuid() != 0:
        pytest.skip("a small file system of its own needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_said_to_be_full_and_keeps_what_was_committed(small_disk: Path) -> None:
    store = FilesystemStore(small_disk)
    store.prepare()
    part = put_part(store, "0-a", b"a" * 300_000)
    writer = store.open_part(UPLOAD, "300000-b")
    with pytest.raises(StoreFullError):
        writer.write(b"b" * 1_000_000)
    writer.discard()
    assert read(store, part) == b"a" * 300_000
    assert read(store, put_part(store, "300000-c", b"c" * 100_000)) == b"c" * 100_000


def test_a_store_that_was_never_prepared_is_not_written_to(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    with pytest.raises(StoreError):
        store.open_part(UPLOAD, "0-a")
    with pytest.raises(StoreError):
        store.open_blob(KEY)
    with pytest.raises(StoreError) as refused:
        read(store, PartRef("0-a", 1))
    assert not isinstance(refused.value, PartMissingError)
    assert list(tmp_path.iterdir()) == []


def test_preparing_twice_is_preparing_once(store: BlobStore) -> None:
    part = put_part(store, "0-a", b"abc")
    store.prepare()
    assert read(store, part) == b"abc"
