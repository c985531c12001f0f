"""An object store that throttles, hangs up, loses its answers or takes its time: a real one behind a proxy."""

import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection

from apps.uploads.ports import PartMissingError, PartRef, StoreError, Writer
from apps.uploads.tests.failing_s3 import FailingS3, failing_s3
from tests.e2e.fleet import free_port

MIB = 2**20
UPLOAD = uuid.uuid4()
KEY = "ab/cd/abcd0000000000000000000000000000"


@pytest.fixture
def failing(s3_store: Any, object_store: dict[str, str]) -> Iterator[FailingS3]:
    with failing_s3(object_store["S3_ENDPOINT_URL"]) as proxy:
        yield proxy


@pytest.fixture
def store_asked(s3_store: Any, failing: FailingS3, settings: Any) -> Callable[[float, float], Any]:
    """The store behind the proxy, asked with this patience: seconds for an answer, seconds of asking again."""
    from apps.uploads.stores.s3 import S3Store
    from apps.uploads.stores.s3_client import Access, Asker, Patience

    access = Access(
        failing.url,
        failing.url,
        settings.S3_BUCKET,
        "us-east-1",
        settings.S3_ACCESS_KEY,
        settings.S3_SECRET_KEY,
    )
    return lambda answer, retry: S3Store(Asker(access, Patience(answer, retry)), prefix=settings.S3_PREFIX)


@pytest.fixture
def store(store_asked: Callable[[float, float], Any]) -> Any:
    """One that is given up as soon as by a web instance's request, and sooner."""
    return store_asked(5.0, 1.5)


@pytest.fixture
def patient_store(store_asked: Callable[[float, float], Any]) -> Any:
    """One that gets as long as a slow machine needs: what fails a few times must come right."""
    return store_asked(15.0, 60.0)


def keep(*, now: bool = False) -> None:
    """Somebody who does not mind."""


def fill(writer: Writer, data: bytes) -> None:
    writer.write(data)
    writer.commit()


def put_part(store: Any, data: bytes, key: str = "0-a") -> PartRef:
    fill(store.open_part(UPLOAD, key), data)
    return PartRef(UPLOAD, key, len(data))


def read(store: Any, part: PartRef) -> bytes:
    return b"".join(bytes(block) for block in store.read_parts([part]))


@pytest.mark.parametrize("kind", ["refused", "cut", "lost"])
@pytest.mark.parametrize("size", [100, 12 * MIB], ids=["small", "large"])
def test_a_part_is_stored_all_the_same_when_each_question_fails_twice(
    patient_store: Any, failing: FailingS3, kind: str, size: int
) -> None:
    data = os.urandom(size)
    failing.fail(kind, "PUT", times=2)
    failing.fail(kind, "POST", "uploads", times=1)
    failing.fail(kind, "POST", "uploadId", times=2)
    assert read(patient_store, put_part(patient_store, data)) == data
    assert failing.count("PUT") >= 3


def test_an_answer_that_takes_too_long_is_not_waited_for(
    store_asked: Callable[[float, float], Any], failing: FailingS3
) -> None:
    store = store_asked(1.0, 60.0)
    failing.fail("slow", "PUT", seconds=30)
    began = time.monotonic()
    part = put_part(store, b"hello")
    assert time.monotonic() - began < 30
    assert read(store, part) == b"hello"


@pytest.mark.parametrize("kind", ["refused", "cut"])
@pytest.mark.parametrize("size", [100, 12 * MIB], ids=["small", "large"])
def test_a_part_that_cannot_be_stored_is_said_so_in_time(
    store: Any, s3_store: Any, failing: FailingS3, kind: str, size: int
) -> None:
    failing.fail(kind, "PUT", times=1000)
    writer = store.open_part(UPLOAD, "0-a")
    began = time.monotonic()
    with pytest.raises(StoreError):
        fill(writer, bytes(size))
    assert time.monotonic() - began < 8, "a lease must not run out over it"
    failing.heal()
    writer.discard()
    with pytest.raises(PartMissingError):
        read(s3_store, PartRef(UPLOAD, "0-a", size))
    assert s3_store.discard_unfinished(0) == 0, "the multipart upload was aborted"


def test_a_completion_that_was_done_but_never_confirmed_is_found_out(store: Any, failing: FailingS3) -> None:
    data = os.urandom(12 * MIB)
    failing.fail("lost", "POST", "uploadId", times=1000)
    assert read(store, put_part(store, data)) == data
    assert failing.count("HEAD") == 1


def test_a_completion_that_was_not_done_is_not_taken_for_one(store: Any, failing: FailingS3) -> None:
    failing.fail("refused", "POST", "uploadId", times=1000)
    writer = store.open_part(UPLOAD, "0-a")
    writer.write(bytes(12 * MIB))
    with pytest.raises(StoreError):
        writer.commit()


def test_a_store_that_nobody_answers_at_is_said_to_be_out_of_reach(store: Any) -> None:
    from apps.uploads.stores.s3 import S3Store
    from apps.uploads.stores.s3_client import Asker, Patience

    access = replace(store._asker.access, endpoint_url=f"http://127.0.0.1:{free_port()}")
    gone = S3Store(Asker(access, Patience(1.0, 0.3)))
    with pytest.raises(StoreError) as refused:
        put_part(gone, b"abc")
    with pytest.raises(StoreError) as unread:
        read(gone, PartRef(UPLOAD, "0-a", 3))
    assert not isinstance(unread.value, PartMissingError)
    assert str(access.endpoint_url) not in str(refused.value)
    assert "cannot be reached" in (gone.trouble() or "")


def test_a_look_at_a_store_that_hangs_ends_soon(store: Any, failing: FailingS3) -> None:
    failing.fail("slow", "HEAD", seconds=30, times=10)
    began = time.monotonic()
    assert "cannot be reached" in (store.trouble() or "")
    assert time.monotonic() - began < 15
    assert failing.count("HEAD") == 1


def test_reading_goes_on_where_the_answer_broke(
    patient_store: Any, s3_store: Any, failing: FailingS3
) -> None:
    data = os.urandom(5 * MIB)
    part = put_part(s3_store, data)
    failing.fail("torn", "GET", count=3 * MIB + 5)
    failing.fail("torn", "GET", count=1)
    failing.fail("refused", "GET")
    assert read(patient_store, part) == data
    assert failing.count("GET") == 4


def test_reading_that_never_gets_on_is_given_up(store: Any, s3_store: Any, failing: FailingS3) -> None:
    part = put_part(s3_store, os.urandom(MIB))
    failing.fail("torn", "GET", count=0, times=1000)
    with pytest.raises(StoreError) as refused:
        read(store, part)
    assert not isinstance(refused.value, PartMissingError)


def parts_of(store: Any, *sizes: int) -> tuple[list[PartRef], str]:
    digest, refs = hashlib.sha256(), []
    for number, size in enumerate(sizes):
        data = os.urandom(size)
        digest.update(data)
        refs.append(put_part(store, data, f"{number}-a"))
    return refs, digest.hexdigest()


@pytest.mark.parametrize("kind", ["refused", "cut", "lost"])
def test_an_assembly_comes_right_through_failures(
    patient_store: Any, s3_store: Any, failing: FailingS3, kind: str
) -> None:
    refs, sha256 = parts_of(s3_store, 6 * MIB, 10, 7 * MIB)
    for method in ("GET", "PUT", "POST"):
        failing.fail(kind, method, times=2)
    failing.fail(kind, "POST", "uploadId")
    assert patient_store.assemble(refs, KEY, keep=keep) == sha256
    assert hashlib.sha256(s3_store.read_head(KEY, 20 * MIB)).hexdigest() == sha256
    assert failing.count("PUT", "partNumber") > 2


def test_an_assembly_that_fails_leaves_neither_a_blob_nor_a_multipart_upload(
    store: Any, s3_store: Any, failing: FailingS3
) -> None:
    refs, _ = parts_of(s3_store, 6 * MIB, 6 * MIB)
    failing.fail("cut", "PUT", "partNumber=2", times=1000)
    with pytest.raises(StoreError):
        store.assemble(refs, KEY, keep=keep)
    with pytest.raises(PartMissingError):
        s3_store.read_head(KEY, 1)
    assert failing.count("DELETE") == 1
    assert s3_store.discard_unfinished(0) == 0


def test_discarding_never_raises(store: Any, failing: FailingS3) -> None:
    failing.fail("cut", times=1000)
    store.discard_upload(UPLOAD)
    store.discard_blob(KEY)


@pytest.mark.django_db(transaction=True)
def test_an_upload_never_counts_a_part_that_is_not_stored(
    make_upload: Any, failing: FailingS3, settings: Any
) -> None:
    from apps.uploads.errors import StorageUnavailableError
    from apps.uploads.models import Part
    from apps.uploads.services import upload_append
    from apps.uploads.tests.conftest import Body

    settings.S3_ENDPOINT_URL, settings.ROLE = failing.url, "web"
    upload = make_upload(length=10)
    failing.fail("refused", "PUT", times=1000)
    with pytest.raises(StorageUnavailableError) as refused:
        upload_append(upload_id=upload.pk, offset=0, announced=10, source=Body(b"0123456789"))
    assert refused.value.headers["Retry-After"]
    upload.refresh_from_db()
    assert (upload.offset, upload.lease_token, Part.objects.count()) == (0, None, 0)
    failing.heal()
    upload_append(upload_id=upload.pk, offset=0, announced=10, source=Body(b"0123456789"))
    upload.refresh_from_db()
    assert upload.offset == 10
    connection.close()
