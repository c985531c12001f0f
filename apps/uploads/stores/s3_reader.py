"""Owns how an object's bytes are read: in blocks of one buffer, going on after a broken answer where it broke."""

import time
from collections.abc import Iterator
from typing import Any

from urllib3.exceptions import HTTPError

from apps.uploads.ports import PartMissingError
from apps.uploads.stores.s3_client import FAILURES, Asker, GoneError, in_our_words, passes, pause

BLOCK_BYTES = 2**20
_SHORT = "a part is shorter than was committed"
# Reading a body breaks with the libraries' errors, or with those of the layer below them.
_BROKEN = (*FAILURES, HTTPError, OSError)


def read_object(
    asker: Asker, key: str, size: int, buffer: memoryview, *, start: int = 0
) -> Iterator[memoryview]:
    """The bytes from `start` up to `size`, in blocks that are valid until the next one. Raises PartMissingError when
    there are fewer of them, or none; StoreError.
    """
    position, attempt = start, 0
    until = time.monotonic() + asker.patience.retry_seconds
    while position < size:
        body = _open(asker, key, position, size)
        try:
            while count := body.readinto(buffer[: min(size - position, BLOCK_BYTES)]):
                position += count
                # Bytes arrive: whatever failed before is over.
                attempt, until = 0, time.monotonic() + asker.patience.retry_seconds
                yield buffer[:count]
        except _BROKEN as error:
            if not _may_pass(error) or not pause("read", attempt, until):
                raise in_our_words(error) from error
            attempt += 1
        finally:
            body.close()


def _may_pass(error: Exception) -> bool:
    return passes(error) or isinstance(error, HTTPError | OSError)


def _open(asker: Asker, key: str, position: int, size: int) -> Any:
    try:
        answer = asker.ask("get_object", Key=key, Range=f"bytes={position}-{size - 1}")
    except GoneError as error:
        raise PartMissingError(_SHORT if error.is_short else "a part is gone") from error
    if answer["ContentLength"] < size - position:
        answer["Body"].close()
        raise PartMissingError(_SHORT)
    return answer["Body"]


def read_head(asker: Asker, key: str, size: int) -> bytes:
    """The first bytes of an object, fewer if it is shorter. Raises PartMissingError when it is gone; StoreError."""
    return b"".join(bytes(block) for block in read_range(asker, key, 0, size))


def read_range(asker: Asker, key: str, start: int, size: int | None) -> Iterator[memoryview]:
    """So many bytes from `start` on, or all, fewer where the object ends before; in blocks that are valid until the
    next one. Raises PartMissingError when it is gone; StoreError.
    """
    try:
        length = int(asker.ask("head_object", Key=key)["ContentLength"])
    except GoneError as error:
        raise PartMissingError("a blob is gone") from error
    end = length if size is None else min(start + size, length)
    yield from read_object(asker, key, end, memoryview(bytearray(BLOCK_BYTES)), start=start)
