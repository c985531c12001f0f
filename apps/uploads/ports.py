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
    """Which bytes to read: whose part, its key, and how many of its bytes count.

    The parts of one file may lie with several uploads: each names its own.
    """

    upload_id: uuid.UUID
    key: str
    size: int


@dataclass(frozen=True)
class StoredPart:
    """A part as it lies in the store, whether a row names it or not."""

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


class Keeper(Protocol):
    """How whoever assembles is told that the work goes on."""

    def __call__(self, *, now: bool = False) -> None:
        """May raise anything to give up. `now`: a wait that may be long comes next."""


class BlobStore(Protocol):
    """Where parts and blobs live. Safe to use from many threads and many instances at once.

    A store that is not there at all (a disk that is not mounted) raises StoreError, never PartMissingError, and is
    never said to be empty: nothing is lost by waiting for it.

    Keys come from Spillway, never from a user. A part and a blob are immutable once committed.
    """

    def prepare(self) -> None:
        """Make what the store needs to exist, once, before the first write. May be called again at any time."""

    def open_part(self, upload_id: uuid.UUID, key: str) -> Writer:
        """Begin a part. `key` was never used before for this upload."""

    def assemble(self, parts: Sequence[PartRef], key: str, *, keep: Keeper) -> str:
        """Make a blob of the parts, in order, and hash it on the way; returns its SHA-256 in hex.

        The blob appears under `key` whole or not at all; `key` was never used before. The parts stay. `keep` is called
        at least every few seconds, and with `now` right before the blob appears; when it raises, so does this, and
        nothing is left but what `discard_unfinished` finds. The memory it takes does not grow with the parts.
        Raises PartMissingError when a part is gone or short.
        """

    def read_parts(self, parts: Sequence[PartRef]) -> Iterator[memoryview]:
        """The parts' bytes in order, in blocks of at most 1 MiB; a block is valid until the next one.

        Raises PartMissingError when a part is gone or short.
        """

    def open_blob(self, key: str) -> Writer:
        """Begin a blob; it appears under `key` at commit, whole, or not at all. `key` was never used before."""

    def read_head(self, key: str, size: int) -> bytes:
        """The first `size` bytes of a blob, fewer if it is shorter. Raises PartMissingError when it is gone."""

    def read_blob(self, key: str, *, start: int = 0, size: int | None = None) -> Iterator[memoryview]:
        """The blob's bytes from `start` on, `size` of them or all, fewer where it ends before; in blocks of at most
        1 MiB, each valid until the next one. Raises PartMissingError when it is gone.
        """

    def download_url(
        self, key: str, *, method: str, content_type: str, disposition: str, seconds: int
    ) -> str | None:
        """Where a browser gets the blob itself, for so many seconds, by `method` (GET or HEAD), ranges included,
        with these as its Content-Type and Content-Disposition. None: the file server reads blobs where they lie.
        Asks nobody and never waits.
        """

    def discard_upload(self, upload_id: uuid.UUID) -> None:
        """Remove all parts of an upload. No error when there are none, nor when they cannot be removed now:
        `old_uploads` offers what stays.
        """

    def discard_blob(self, key: str) -> None:
        """Remove a blob. No error when there is none, nor when it cannot be removed now: `old_blobs` offers it."""

    def list_parts(self, upload_id: uuid.UUID) -> Sequence[StoredPart]:
        """All parts of an upload that lie in the store, those that are being written included; in any order."""

    def discard_part(self, upload_id: uuid.UUID, key: str) -> None:
        """Remove one part. No error when there is none, nor when it cannot be removed now."""

    def blob_size(self, key: str) -> int | None:
        """Bytes of a blob, None when there is none."""

    def old_uploads(self, older_than_seconds: float) -> Iterator[uuid.UUID]:
        """Uploads with parts that nothing was added to for so long. Whether anybody still needs them is for the
        caller to ask.
        """

    def old_blobs(self, older_than_seconds: float) -> Iterator[str]:
        """Keys of blobs that were committed so long ago."""

    def old_unfinished(self, older_than_seconds: float) -> Iterator[str]:
        """Keys of blobs in the making that nothing was written to for so long."""

    def discard_unfinished_blob(self, key: str) -> None:
        """Remove a blob in the making. No error when there is none, nor when it cannot be removed now."""

    def discard_unfinished(self, older_than_seconds: float) -> int:
        """Remove blobs in the making that nothing was written to for so long; how many there were."""

    def free_bytes(self) -> int | None:
        """Bytes that may still be written, or None where that has no meaning."""

    def trouble(self) -> str | None:
        """What keeps the store from being used at this moment, in words fit for the status page; None if nothing.

        A cheap look, of 2 seconds at most.
        """


class ByteSource(Protocol):
    """The body of one request, read without ever waiting long."""

    def take(self, most_bytes: int, wait_seconds: float) -> memoryview | None:
        """The next bytes, at most `most_bytes`. None: nothing arrived in `wait_seconds`. Empty: no more will come.

        The block is valid until the next call.
        """
