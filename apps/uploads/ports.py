"""Owns the contracts behind which bytes lie: a blob store, and the body of a request. No implementation.

One contract suite (apps/uploads/tests/test_store_contract.py) runs against every adapter.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


class StoreError(Exception):
    """The store cannot be used right now. What was committed before is still there."""


class StoreFullError(StoreError):
    """There is no room for more bytes. What was committed before is still there."""


class PartMissingError(StoreError):
    """A part that the database knows is not in the store, or is shorter than was committed."""


@dataclass(frozen=True)
class PartRef:
    """Which bytes to read: the part's key and how many of its bytes count."""

    key: str
    size: int


class Writer(Protocol):
    """A new run of bytes that nobody else sees until it is committed.

    Every method may raise StoreError or StoreFullError; after that only `discard` may be called.
    """

    def write(self, data: bytes | memoryview) -> None:
        """Append all of `data`. It is copied or written before this returns: the caller reuses the buffer."""

    def commit(self) -> None:
        """Return only when every byte written, and the name itself, survive a power cut. Ends the writer."""

    def discard(self) -> None:
        """Remove what was written. Never raises. Ends the writer; a second call does nothing."""


class BlobStore(Protocol):
    """Where parts and blobs live. Safe to use from many threads and many instances at once.

    A store that is not there at all (a disk that is not mounted) raises StoreError, never PartMissingError: nothing
    is lost by waiting for it.

    Keys come from Spillway, never from a user. A part and a blob are immutable once committed.
    """

    def prepare(self) -> None:
        """Make what the store needs to exist, once, before the first write. May be called again at any time."""

    def open_part(self, upload_id: uuid.UUID, key: str) -> Writer:
        """Begin a part. `key` was never used before for this upload."""

    def read_parts(self, upload_id: uuid.UUID, parts: Sequence[PartRef]) -> Iterator[memoryview]:
        """The parts' bytes in order, in blocks of at most 1 MiB; a block is valid until the next one.

        Raises PartMissingError when a part is gone or short.
        """

    def open_blob(self, key: str) -> Writer:
        """Begin a blob; it appears under `key` at commit, whole, or not at all. `key` was never used before."""

    def read_head(self, key: str, size: int) -> bytes:
        """The first `size` bytes of a blob, fewer if it is shorter. Raises PartMissingError when it is gone."""

    def discard_upload(self, upload_id: uuid.UUID) -> None:
        """Remove all parts of an upload. No error when there are none."""

    def discard_blob(self, key: str) -> None:
        """Remove a blob. No error when there is none."""

    def old_uploads(self, older_than_seconds: float) -> Iterator[uuid.UUID]:
        """Uploads with parts that nothing was added to for so long. Whether anybody still needs them is for the
        caller to ask.
        """

    def old_blobs(self, older_than_seconds: float) -> Iterator[str]:
        """Keys of blobs that were committed so long ago."""

    def discard_unfinished(self, older_than_seconds: float) -> int:
        """Remove blobs in the making that nothing was written to for so long; how many there were."""

    def free_bytes(self) -> int | None:
        """Bytes that may still be written, or None where that has no meaning."""


class ByteSource(Protocol):
    """The body of one request, read without ever waiting long."""

    def take(self, most_bytes: int, wait_seconds: float) -> memoryview | None:
        """The next bytes, at most `most_bytes`. None: nothing arrived in `wait_seconds`. Empty: no more will come.

        The block is valid until the next call.
        """
