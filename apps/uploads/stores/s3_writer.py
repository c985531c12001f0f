"""Owns how one object is written from bytes that arrive little by little, in memory that does not grow with them."""

from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

from apps.uploads.ports import StoreError
from apps.uploads.stores.s3_client import Asker, GoneError, quietly

MIB = 2**20
# S3's own limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
LEAST_PIECE_BYTES = 5 * MIB
MOST_PIECES = 10_000


def piece_bytes(number: int) -> int:
    """How large the piece of this number (from 1) is: they grow, so that 10,000 of them hold 250 GiB, while what most
    objects need takes little memory.
    """
    return min(LEAST_PIECE_BYTES << (number // 1_000), 32 * MIB)


class Multipart:
    """An object in the making, piece by piece. It appears at `complete`, whole, or never."""

    def __init__(self, asker: Asker, key: str) -> None:
        self._asker = asker
        self._key = key
        self._id: str = asker.ask("create_multipart_upload", Key=key)["UploadId"]
        self._etags: dict[int, str] = {}

    def put(self, number: int, body: BytesIO) -> None:
        """Store a piece. Safe to call from several threads, with different numbers."""
        answer = self._asker.ask(
            "upload_part", Key=self._key, UploadId=self._id, PartNumber=number, Body=body
        )
        self._etags[number] = answer["ETag"]

    def copy(self, number: int, source_key: str, first: int, length: int) -> None:
        """The same with bytes that the store has already; it copies them by itself."""
        answer = self._asker.ask(
            "upload_part_copy",
            Key=self._key,
            UploadId=self._id,
            PartNumber=number,
            CopySource={"Bucket": self._asker.access.bucket, "Key": source_key},
            CopySourceRange=f"bytes={first}-{first + length - 1}",
        )
        self._etags[number] = answer["CopyPartResult"]["ETag"]

    def complete(self, size: int) -> None:
        """Return only when the object is there with all its `size` bytes. Raises StoreError when it may not be."""
        pieces = [{"PartNumber": number, "ETag": self._etags[number]} for number in sorted(self._etags)]
        _ask_surely(
            self._asker, self._key, size,
            lambda: self._asker.ask(
                "complete_multipart_upload",
                Key=self._key,
                UploadId=self._id,
                MultipartUpload={"Parts": pieces},
            ),
        )  # fmt: skip

    def abort(self) -> None:
        """Give up what was stored so far. Never raises: `discard_unfinished` finds what stays."""

        def ask() -> None:
            with suppress(GoneError):
                self._asker.ask("abort_multipart_upload", Key=self._key, UploadId=self._id)

        quietly("multipart", ask)


def put_whole(asker: Asker, key: str, body: BytesIO, size: int) -> None:
    """A small object in one go."""
    _ask_surely(asker, key, size, lambda: asker.ask("put_object", Key=key, Body=body))


def _ask_surely(asker: Asker, key: str, size: int, ask: Callable[[], Any]) -> None:
    """When the answer is lost, or the second try is told that there is nothing left to do, look what became of it.

    A key is never used twice: an object of the right size under it is this one.
    """
    try:
        ask()
    except StoreError:
        if not _is_there(asker, key, size):
            raise


def _is_there(asker: Asker, key: str, size: int) -> bool:
    try:
        return int(asker.ask("head_object", Key=key)["ContentLength"]) == size
    except StoreError:
        return False


class S3Writer:
    """See apps.uploads.ports.Writer. Holds one piece in memory; a small object is stored in one go at commit."""

    def __init__(self, asker: Asker, key: str) -> None:
        self._asker = asker
        self._key = key
        self._buffer = BytesIO()
        self._buffered_bytes = self._stored_bytes = 0
        self._pieces = 0
        self._multipart: Multipart | None = None

    def write(self, data: bytes | memoryview) -> None:
        """Copy into the piece; store it when it is full."""
        view = memoryview(data)
        while view:
            room = piece_bytes(self._pieces + 1) - self._buffered_bytes
            self._buffer.write(view[:room])
            self._buffered_bytes += min(room, len(view))
            view = view[room:]
            # A full piece waits for the byte after it: an object of one piece needs no multipart upload.
            if view:
                self._store_piece()

    def _store_piece(self) -> None:
        if self._multipart is None:
            self._multipart = Multipart(self._asker, self._key)
        self._pieces += 1
        self._multipart.put(self._pieces, self._buffer)
        self._stored_bytes += self._buffered_bytes
        self._buffer.seek(0)
        self._buffer.truncate()
        self._buffered_bytes = 0

    def commit(self) -> None:
        """Return only when the store has said that it has every byte, under the object's name."""
        size = self._stored_bytes + self._buffered_bytes
        if self._multipart is None:
            put_whole(self._asker, self._key, self._buffer, size)
        else:
            self._store_piece()
            self._multipart.complete(size)
        self._buffer.close()

    def discard(self) -> None:
        """Give up what was stored; an object whose answer was lost may be there all the same."""
        multipart, self._multipart = self._multipart, None
        if multipart is not None:
            multipart.abort()
        self._buffer.close()
