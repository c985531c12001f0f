"""The BlobStore port's contract, run against every adapter of it."""

import hashlib
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apps.uploads.ports import BlobStore, PartMissingError, PartRef, StoreError, StoreFullError
from apps.uploads.stores.filesystem import FilesystemStore
from tests.e2e.fleet import wait_until

UPLOAD = uuid.uuid4()
KEY = "ab/cd/abcd0000000000000000000000000000"


@pytest.fixture(params=["filesystem", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """Each empty: a folder, or a prefix in a bucket, of its own."""
    made: BlobStore = FilesystemStore(tmp_path)
    if request.param == "s3":
        made = request.getfixturevalue("s3_store")
    made.prepare()
    return made


def put_part(store: BlobStore, key: str, data: bytes, upload_id: uuid.UUID = UPLOAD) -> PartRef:
    writer = store.open_part(upload_id, key)
    writer.write(data)
    writer.commit()
    return PartRef(upload_id, key, len(data))


def read(store: BlobStore, *parts: PartRef) -> bytes:
    return b"".join(bytes(block) for block in store.read_parts(parts))


def put_blob(store: BlobStore, key: str, data: bytes) -> None:
    writer = store.open_blob(key)
    writer.write(data)
    writer.commit()


def test_committed_parts_are_read_back_in_the_order_asked_for(store: BlobStore) -> None:
    first, second = put_part(store, "0-a", b"hello "), put_part(store, "6-b", b"world")
    assert read(store, first, second) == b"hello world"


def test_parts_of_several_uploads_are_read_as_one_run(store: BlobStore) -> None:
    first, second = put_part(store, "0-a", b"hello "), put_part(store, "0-a", b"world", uuid.uuid4())
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
    assert read(store, PartRef(UPLOAD, "0-a", 3)) == b"one"


def test_only_the_bytes_that_count_are_read(store: BlobStore) -> None:
    put_part(store, "0-a", b"counted, not counted")
    assert read(store, PartRef(UPLOAD, "0-a", 7)) == b"counted"


def test_a_part_that_is_gone_is_said_to_be(store: BlobStore) -> None:
    with pytest.raises(PartMissingError):
        read(store, PartRef(UPLOAD, "0-never", 1))


def test_a_part_shorter_than_committed_is_said_to_be(store: BlobStore) -> None:
    put_part(store, "0-a", b"abc")
    with pytest.raises(PartMissingError):
        read(store, PartRef(UPLOAD, "0-a", 4))


def test_a_discarded_part_is_gone_and_may_be_discarded_again(store: BlobStore) -> None:
    writer = store.open_part(UPLOAD, "0-a")
    writer.write(b"abc")
    writer.discard()
    writer.discard()
    with pytest.raises(PartMissingError):
        read(store, PartRef(UPLOAD, "0-a", 3))


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


def read_blob(store: BlobStore, **which: int) -> bytes:
    return b"".join(bytes(block) for block in store.read_blob(KEY, **which))


def test_a_blob_is_read_back_whole_in_small_blocks(store: BlobStore) -> None:
    data = os.urandom(3 * MIB + 17)
    put_blob(store, KEY, data)
    sizes, read = [], b""
    for block in store.read_blob(KEY):
        sizes.append(len(block))
        read += bytes(block)
    assert read == data
    assert max(sizes) <= MIB


@pytest.mark.parametrize(
    ("start", "size", "expected"),
    [(0, 3, b"abc"), (2, 3, b"cde"), (4, 100, b"efgh"), (8, 1, b""), (20, 1, b""), (3, 0, b"")],
)
def test_any_range_of_a_blob_is_read_and_ends_with_it(
    store: BlobStore, start: int, size: int, expected: bytes
) -> None:
    put_blob(store, KEY, b"abcdefgh")
    assert read_blob(store, start=start, size=size) == expected


def test_a_blob_is_read_from_a_place_to_its_end(store: BlobStore) -> None:
    put_blob(store, KEY, b"abcdefgh")
    assert read_blob(store, start=6) == b"gh"


def test_a_blob_that_is_gone_cannot_be_read(store: BlobStore) -> None:
    with pytest.raises(PartMissingError):
        read_blob(store)


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
    unfinished = store.open_blob("ab/cd/unfinished")
    unfinished.write(bytes(12 * 2**20))
    assert list(store.old_uploads(60)) == []
    assert list(store.old_blobs(60)) == []
    assert store.discard_unfinished(60) == 0
    # Some stores keep whole seconds only.
    wait_until(lambda: list(store.old_uploads(0.01)) == [UPLOAD], 10, "the upload is old")
    wait_until(lambda: list(store.old_blobs(0.01)) == [KEY], 10, "the blob is old")
    wait_until(lambda: store.discard_unfinished(0.01) == 1, 10, "the unfinished blob is old")
    unfinished.discard()
    assert store.discard_unfinished(0) == 0


def keep(*, now: bool = False) -> None:
    """Somebody who does not mind."""


MIB = 2**20
MIXED = [1, 5 * MIB, 16 * MIB, 1, 2 * MIB, 3 * MIB + 7, 5 * MIB - 1, 6 * MIB, 9]


@pytest.mark.parametrize("sizes", [[], [1], [5 * MIB], [5 * MIB + 1], [7, 7], MIXED], ids=str)
def test_parts_of_any_sizes_are_assembled_in_order_and_hashed(store: BlobStore, sizes: list[int]) -> None:
    parts = [os.urandom(size) for size in sizes]
    refs = [put_part(store, f"{number}-a", data) for number, data in enumerate(parts)]
    whole = b"".join(parts)
    assert store.assemble(refs, KEY, keep=keep) == hashlib.sha256(whole).hexdigest()
    assert store.read_head(KEY, len(whole) + 1) == whole
    assert store.discard_unfinished(0) == 0


def test_only_the_bytes_that_count_are_assembled(store: BlobStore) -> None:
    first, second = os.urandom(6 * MIB), os.urandom(6 * MIB)
    put_part(store, "0-a", first + b"not counted")
    put_part(store, "1-a", second + b"not counted")
    refs = [PartRef(UPLOAD, f"{number}-a", 6 * MIB) for number in range(2)]
    assert store.assemble(refs, KEY, keep=keep) == hashlib.sha256(first + second).hexdigest()
    assert store.read_head(KEY, 20 * MIB) == first + second


def test_parts_of_several_uploads_become_one_blob(store: BlobStore) -> None:
    refs = [put_part(store, "0-a", b"hello "), put_part(store, "0-a", b"world", uuid.uuid4())]
    store.assemble(refs, KEY, keep=keep)
    assert store.read_head(KEY, 100) == b"hello world"


def test_the_parts_are_still_there_after_an_assembly(store: BlobStore) -> None:
    part = put_part(store, "0-a", b"abc")
    store.assemble([part], KEY, keep=keep)
    assert read(store, part) == b"abc"


@pytest.mark.parametrize("size", [4, 6 * MIB])
@pytest.mark.parametrize("present", [True, False], ids=["short", "gone"])
def test_nothing_is_assembled_of_a_part_that_is_gone_or_short(
    store: BlobStore, size: int, present: bool
) -> None:
    good = put_part(store, "0-a", b"a" * size)
    if present:
        put_part(store, "1-a", b"b" * (size - 1))
    with pytest.raises(PartMissingError):
        store.assemble([good, PartRef(UPLOAD, "1-a", size)], KEY, keep=keep)
    with pytest.raises(PartMissingError):
        store.read_head(KEY, 1)
    assert store.discard_unfinished(0) == 0


class GaveUpError(Exception):
    """What a worker raises that has lost its claim."""


@pytest.mark.parametrize("size", [4, 20 * MIB])
def test_an_assembly_that_is_given_up_at_the_last_moment_leaves_nothing(store: BlobStore, size: int) -> None:
    def give_up(*, now: bool = False) -> None:
        if now:
            raise GaveUpError

    part = put_part(store, "0-a", bytes(size))
    with pytest.raises(GaveUpError):
        store.assemble([part], KEY, keep=give_up)
    with pytest.raises(PartMissingError):
        store.read_head(KEY, 1)
    assert store.discard_unfinished(0) == 0


def test_whoever_assembles_hears_often_that_it_goes_on_and_once_that_the_end_is_near(
    store: BlobStore,
) -> None:
    calls: list[bool] = []
    part = put_part(store, "0-a", bytes(20 * MIB))
    store.assemble([part], KEY, keep=lambda *, now=False: calls.append(now))
    assert calls.count(True) == 1
    assert len(calls) >= 20


def test_a_store_that_can_be_used_has_no_trouble(store: BlobStore) -> None:
    assert store.trouble() is None


def test_parts_are_listed_with_their_sizes_and_removed_one_by_one(store: BlobStore) -> None:
    assert list(store.list_parts(UPLOAD)) == []
    put_part(store, "0-a", b"abc")
    put_part(store, "3-b", b"defgh")
    put_part(store, "0-c", b"x", uuid.uuid4())
    assert {(part.key, part.size) for part in store.list_parts(UPLOAD)} == {("0-a", 3), ("3-b", 5)}
    store.discard_part(UPLOAD, "0-a")
    store.discard_part(UPLOAD, "0-a")
    assert [part.key for part in store.list_parts(UPLOAD)] == ["3-b"]


def test_a_blobs_size_is_known_and_none_when_it_is_gone(store: BlobStore) -> None:
    put_blob(store, KEY, b"abc")
    put_blob(store, "ef/gh/empty", b"")
    assert (store.blob_size(KEY), store.blob_size("ef/gh/empty")) == (3, 0)
    store.discard_blob(KEY)
    assert store.blob_size(KEY) is None


def test_a_blob_in_the_making_is_found_by_its_key_and_removed_alone(store: BlobStore) -> None:
    writers = []
    for key in (KEY, "ef/gh/efgh"):
        # More than a store keeps back before it begins to send.
        writers.append(store.open_blob(key))
        writers[-1].write(bytes(9 * MIB))
    assert list(store.old_unfinished(60)) == []
    wait_until(lambda: set(store.old_unfinished(0.01)) == {KEY, "ef/gh/efgh"}, 10, "both are old")
    store.discard_unfinished_blob(KEY)
    store.discard_unfinished_blob(KEY)
    assert list(store.old_unfinished(0.01)) == ["ef/gh/efgh"]


def test_free_space_is_a_number_of_bytes(store: BlobStore) -> None:
    free = store.free_bytes()
    assert free is None or free > 0


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A real file system of its own at this folder."""
    if os.geteuid() != 0:
        pytest.skip("a file system of its own needs root")
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True
    )
    if done.returncode:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """1 MiB."""
    with mounted(tmp_path / "small", "1m") as folder:
        yield folder


def test_parts_on_another_file_system_than_the_blobs_are_assembled_all_the_same(tmp_path: Path) -> None:
    """There the kernel refuses to copy by itself."""
    store = FilesystemStore(tmp_path)
    store.prepare()
    with mounted(tmp_path / "staging", "16m"):
        data = os.urandom(3 * MIB + 1)
        part = put_part(store, "0-a", data)
        assert store.assemble([part], KEY, keep=keep) == hashlib.sha256(data).hexdigest()
        assert store.read_head(KEY, 4 * MIB) == data


def test_a_disk_that_is_full_before_a_blob_is_whole_is_said_to_be_and_the_parts_stay(
    small_disk: Path,
) -> None:
    store = FilesystemStore(small_disk)
    store.prepare()
    part = put_part(store, "0-a", b"a" * 600_000)
    with pytest.raises(StoreFullError):
        store.assemble([part], KEY, keep=keep)
    assert read(store, part) == b"a" * 600_000
    assert store.discard_unfinished(-1) == 0


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
        read(store, PartRef(UPLOAD, "0-a", 1))
    assert not isinstance(refused.value, PartMissingError)
    assert store.trouble() == "the store is not there"
    for question in (
        lambda: store.list_parts(UPLOAD),
        lambda: store.blob_size(KEY),
        lambda: list(store.old_unfinished(0)),
    ):
        with pytest.raises(StoreError):
            question()
    assert list(tmp_path.iterdir()) == []


def test_preparing_twice_is_preparing_once(store: BlobStore) -> None:
    part = put_part(store, "0-a", b"abc")
    store.prepare()
    assert read(store, part) == b"abc"
