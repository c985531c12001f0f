"""Owns what the tests of archives and previews begin with: Alice's transfers, files with bytes in the store."""

import hashlib
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
