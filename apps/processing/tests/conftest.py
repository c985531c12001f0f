"""Owns what the tests of archives and previews begin with: Alice's transfers, files with bytes in the store."""

import hashlib
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.transfers.tests.conftest import bob, charlie, send, sent

__all__ = ["bob", "charlie", "publish", "send", "sent"]


@pytest.fixture
def publish(store_root: Path) -> Callable[..., Any]:
    """A ready file of a transfer, as the worker leaves it; its previews are not made yet."""
    from apps.processing.rules import blob_key
    from apps.processing.sniff import content_type
    from apps.uploads.store import blob_store

    def make(sent: Any, name: str, data: bytes, **more: Any) -> Any:
        key = blob_key(uuid.uuid4().hex)
        writer = blob_store().open_blob(key)
        writer.write(data)
        writer.commit()
        values = {"sha256": hashlib.sha256(data).hexdigest(), "content_type": content_type(data), **more}
        return sent.add(name, size=len(data), blob_key=key, **values)

    return make


@pytest.fixture
def transfer(store_root: Path) -> Any:
    """One that nobody in particular sent."""
    from apps.transfers.models import Transfer, secret_digest

    return Transfer.objects.create(
        secret_digest=secret_digest("x"), expires_at=timezone.now() + timedelta(days=1)
    )


@pytest.fixture
def arrive(transfer: Any) -> Callable[..., Any]:
    """A file that has arrived whole, in these parts."""
    from apps.transfers.models import File
    from apps.transfers.rules import FileState
    from apps.uploads.models import Part, Upload
    from apps.uploads.store import blob_store

    def make(*parts: bytes, **fields: object) -> Any:
        size = sum(map(len, parts))
        values = {"name": "a.bin", "state": FileState.PROCESSING} | fields
        file = File.objects.create(transfer=transfer, size=size, **values)
        upload = Upload.objects.create(
            file=file, length=size, offset=size, expires_at=timezone.now() + timedelta(days=1)
        )
        offset = 0
        for data in parts:
            writer = blob_store().open_part(upload.pk, f"{offset}-x")
            writer.write(data)
            writer.commit()
            Part.objects.create(upload=upload, offset=offset, size=len(data), key=f"{offset}-x")
            offset += len(data)
        return file

    return make


@pytest.fixture
def doorbell(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[object, ...]]]:
    """What was enqueued after commit: the broker itself is real in the end-to-end tests."""
    rung: list[tuple[str, tuple[object, ...]]] = []
    monkeypatch.setattr("apps.common.enqueue._send", lambda name, args: rung.append((name, args)))
    return rung
