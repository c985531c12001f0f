"""What is only true of the object store: its bucket, its pages of names, its addresses, how little memory it takes."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
import requests

from apps.uploads.ports import PartMissingError, PartRef, StoreError
from tests.e2e.fleet import wait_until

MIB = 2**20
KEY = "ab/cd/abcd0000000000000000000000000000"
CHECKOUT = Path(__file__).resolve().parents[3]


def put_blob(store: Any, data: bytes, key: str = KEY) -> None:
    writer = store.open_blob(key)
    writer.write(data)
    writer.commit()


def put_part(store: Any, upload_id: uuid.UUID, key: str, data: bytes = b"abc") -> PartRef:
    writer = store.open_part(upload_id, key)
    writer.write(data)
    writer.commit()
    return PartRef(upload_id, key, len(data))


def test_a_bucket_that_is_missing_is_trouble_but_no_loss(s3_store: Any, settings: Any) -> None:
    from apps.uploads.store import blob_store

    settings.S3_BUCKET = "never-made"
    store = blob_store()
    assert store.trouble() == "the bucket is missing"
    with pytest.raises(StoreError) as refused:
        list(store.read_parts([PartRef(uuid.uuid4(), "0-a", 3)]))
    assert not isinstance(refused.value, PartMissingError)
    with pytest.raises(StoreError):
        put_part(store, uuid.uuid4(), "0-a")


def test_wrong_keys_are_trouble(s3_store: Any, settings: Any) -> None:
    from apps.uploads.store import blob_store

    settings.S3_SECRET_KEY = f"not-{settings.S3_SECRET_KEY}"
    trouble = blob_store().trouble() or ""
    assert trouble.startswith("the object store refused")
    assert settings.S3_SECRET_KEY not in trouble


def test_a_web_proxy_for_other_sites_does_not_stand_before_a_store_on_this_machine(
    s3_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.uploads.stores.s3_client import Asker, Patience, _client

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    _client.cache_clear()
    assert Asker(s3_store._asker.access, Patience(2.0, 0.0)).ask("head_bucket")


def test_a_bucket_is_made_when_it_is_missing(s3_store: Any, settings: Any) -> None:
    from apps.uploads.store import blob_store

    settings.S3_BUCKET = f"made-{uuid.uuid4().hex}"
    blob_store().prepare()
    assert blob_store().trouble() is None


def test_two_sites_with_a_prefix_each_share_a_bucket(s3_store: Any, settings: Any) -> None:
    from apps.uploads.store import blob_store

    put_blob(s3_store, b"theirs")
    settings.S3_PREFIX = f"{uuid.uuid4().hex}/"
    with pytest.raises(PartMissingError):
        blob_store().read_head(KEY, 1)
    assert list(blob_store().old_blobs(-60)) == []
    assert list(s3_store.old_blobs(-60)) == [KEY]


def test_everything_is_listed_and_removed_however_many_pages_it_takes(
    s3_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.uploads.stores.s3._PAGE", 3)
    uploads = sorted((uuid.uuid4() for _ in range(3)), key=lambda upload_id: upload_id.hex)
    parts = [put_part(s3_store, upload_id, f"{number}-a") for upload_id in uploads for number in range(4)]
    for number in range(7):
        put_blob(s3_store, b"x", f"ab/cd/{number}")
    assert list(s3_store.old_uploads(-60)) == uploads
    assert list(s3_store.old_blobs(-60)) == [f"ab/cd/{number}" for number in range(7)]
    s3_store.discard_upload(uploads[1])
    assert list(s3_store.old_uploads(-60)) == [uploads[0], uploads[2]]
    assert b"".join(map(bytes, s3_store.read_parts(parts[:4]))) == b"abc" * 4


def test_an_upload_with_one_new_part_is_not_old(s3_store: Any) -> None:
    upload_id = uuid.uuid4()
    put_part(s3_store, upload_id, "0-a")
    assert list(s3_store.old_uploads(3600)) == []


def test_multipart_uploads_are_aborted_however_many_pages_they_take(
    s3_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.uploads.stores.s3._PAGE", 2)
    for number in range(5):
        s3_store.open_blob(f"ab/cd/{number}").write(bytes(5 * MIB + 1))
    assert s3_store.discard_unfinished(3600) == 0
    assert s3_store.discard_unfinished(-60) == 5
    assert s3_store.discard_unfinished(-60) == 0


def test_a_discarded_uploads_parts_in_the_making_go_too(s3_store: Any) -> None:
    upload_id = uuid.uuid4()
    s3_store.open_part(upload_id, "0-a").write(bytes(5 * MIB + 1))
    s3_store.discard_upload(upload_id)
    assert s3_store.discard_unfinished(-60) == 0


class TestAddress:
    NAME = "attachment; filename=\"a _b_.txt\"; filename*=UTF-8''gr%C3%BC%C3%9Fe%20%22b%22.txt"

    def url(self, store: Any, method: str = "GET", seconds: int = 60) -> str:
        url = store.download_url(
            KEY, method=method, content_type="text/plain", disposition=self.NAME, seconds=seconds
        )
        assert isinstance(url, str)
        return url

    def test_it_gives_the_bytes_with_the_right_name_and_type(self, s3_store: Any) -> None:
        put_blob(s3_store, b"hello world")
        answer = requests.get(self.url(s3_store), timeout=10)
        assert (answer.status_code, answer.content) == (200, b"hello world")
        assert answer.headers["Content-Type"] == "text/plain"
        assert answer.headers["Content-Disposition"] == self.NAME
        assert answer.headers["Cache-Control"] == "private, no-store"

    def test_it_gives_ranges(self, s3_store: Any) -> None:
        put_blob(s3_store, b"hello world")
        answer = requests.get(self.url(s3_store), headers={"Range": "bytes=6-"}, timeout=10)
        assert (answer.status_code, answer.content) == (206, b"world")

    def test_the_headers_alone_have_an_address_of_their_own(self, s3_store: Any) -> None:
        put_blob(s3_store, b"hello world")
        answer = requests.head(self.url(s3_store, "HEAD"), timeout=10)
        assert (answer.status_code, answer.headers["Content-Length"]) == (200, "11")
        assert answer.headers["Content-Disposition"] == self.NAME

    def test_it_ends(self, s3_store: Any) -> None:
        put_blob(s3_store, b"hello world")
        url = self.url(s3_store, seconds=2)
        assert requests.get(url, timeout=10).status_code == 200
        wait_until(lambda: requests.get(url, timeout=10).status_code == 403, 20, "the address has ended")

    def test_it_allows_nothing_but_reading_this_one(self, s3_store: Any) -> None:
        put_blob(s3_store, b"hello world")
        put_blob(s3_store, b"another", "ab/cd/another")
        url = self.url(s3_store)
        assert requests.get(url.replace(KEY, "ab/cd/another"), timeout=10).status_code == 403
        assert requests.put(url, data=b"changed", timeout=10).status_code == 403
        assert requests.delete(url, timeout=10).status_code == 403
        assert s3_store.read_head(KEY, 100) == b"hello world"

    def test_it_names_the_host_that_browsers_reach(self, s3_store: Any, settings: Any) -> None:
        from apps.uploads.store import blob_store

        settings.S3_PUBLIC_URL = "https://files.example.org"
        assert self.url(blob_store()).startswith(f"https://files.example.org/{settings.S3_BUCKET}/")


_TOLD = (
    "S3_ENDPOINT_URL",
    "S3_PUBLIC_URL",
    "S3_BUCKET",
    "S3_REGION",
    "S3_ACCESS_KEY",
    "S3_SECRET_KEY",
    "S3_PREFIX",
)
_CARRY = """
import json, os, resource, sys, uuid
from types import SimpleNamespace
from apps.uploads.ports import PartRef
from apps.uploads.stores.s3 import S3Store

store = S3Store.from_settings(SimpleNamespace(**json.loads(sys.argv[1])))
upload, block = uuid.uuid4(), os.urandom(2**20)

def part(number, mib):
    writer = store.open_part(upload, f"{number}-a")
    for _ in range(mib):
        writer.write(block)
    writer.commit()
    return PartRef(upload, f"{number}-a", mib * 2**20)

def carry(sizes, key):
    parts = [part(f"{key}{number}", mib) for number, mib in enumerate(sizes)]
    store.assemble(parts, f"ab/cd/{key}", keep=lambda *, now=False: None)
    assert sum(len(found) for found in store.read_parts(parts)) == sum(sizes) * 2**20

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

carry([2, 2, 2, 16], "small")
before = peak()
carry([2] * 40 + [120], "large")
print(json.dumps([before, peak()]))
"""


def test_two_hundred_mebibytes_take_no_more_memory_than_twenty(s3_store: Any, settings: Any) -> None:
    """Written, put together (of parts that are copied and parts that go through memory) and read."""
    told = {name: getattr(settings, name) for name in _TOLD} | {"ROLE": "web"}
    done = subprocess.run(
        [sys.executable, "-c", _CARRY, json.dumps(told)],
        cwd=CHECKOUT, env=dict(os.environ), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before_mib, after_mib = json.loads(done.stdout.splitlines()[-1])
    assert after_mib - before_mib < 24
