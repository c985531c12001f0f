"""What tests of uploads share: a transfer of Alice's, uploads in it, and bodies to append.

Models are imported where they are used: this file is read before Django is set up when only this folder is run.
"""

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from apps.uploads.tests.client import Tus

if TYPE_CHECKING:
    from apps.transfers.models import Transfer
    from apps.uploads.models import Upload

SECRET = "alice-keeps-this-to-herself"


class Body:
    """A ByteSource made of blocks; a block may be None (nothing arrives) or something to call in between."""

    def __init__(self, *blocks: bytes | Callable[[], object] | None) -> None:
        self._blocks = list(blocks)
        self._held = b""

    def take(self, most_bytes: int, wait_seconds: float) -> memoryview | None:
        """The next block, cut to what is asked for."""
        while not self._held:
            if not self._blocks:
                return memoryview(b"")
            block = self._blocks.pop(0)
            if block is None:
                time.sleep(min(wait_seconds, 0.01))
                return None
            if callable(block):
                block()
                continue
            self._held = block
        taken, self._held = self._held[:most_bytes], self._held[most_bytes:]
        return memoryview(taken)


@pytest.fixture
def transfer(db: None, store_root: Path) -> "Transfer":
    from apps.transfers.models import Transfer, secret_digest

    return Transfer.objects.create(
        secret_digest=secret_digest(SECRET), expires_at=timezone.now() + timedelta(days=1)
    )


@pytest.fixture
def make_upload(transfer: "Transfer") -> Callable[..., "Upload"]:
    from apps.transfers.models import File
    from apps.uploads.models import Upload

    def make(length: int = 10, **fields: object) -> Upload:
        file = File.objects.create(transfer=transfer, name="a.bin", size=length)
        values = {"expires_at": timezone.now() + timedelta(hours=1)} | fields
        return Upload.objects.create(file=file, length=length, **values)

    return make


def append(upload: "Upload", body: Body, offset: int = 0, announced: int | None = None) -> "Upload":
    """What the upload is after this body was appended to it."""
    from apps.uploads.services import upload_append

    return upload_append(upload_id=upload.pk, offset=offset, announced=announced, source=body)


def staged(upload_id: uuid.UUID) -> bytes:
    """The durable bytes of an upload, as a worker would read them."""
    from apps.uploads.models import Part
    from apps.uploads.ports import PartRef
    from apps.uploads.store import blob_store

    found = Part.objects.filter(upload_id=upload_id).order_by("offset")
    parts = [PartRef(part.upload_id, part.key, part.size) for part in found]
    return b"".join(bytes(block) for block in blob_store().read_parts(parts))


@pytest.fixture
def doorbell(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[object, ...]]]:
    """What was enqueued after commit: the broker itself is real in the end-to-end tests."""
    rung: list[tuple[str, tuple[object, ...]]] = []
    monkeypatch.setattr("apps.common.enqueue._send", lambda name, args: rung.append((name, args)))
    return rung


@pytest.fixture
def tus(store_root: Path) -> Tus:
    return Tus()
