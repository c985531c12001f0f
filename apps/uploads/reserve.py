"""Owns how the rest of the app asks the store for room, and how the store's failures become refusals."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings

from apps.uploads.errors import StorageFullError, StorageUnavailableError
from apps.uploads.ports import StoreError, StoreFullError
from apps.uploads.store import blob_store

logger = structlog.get_logger(__name__)


@contextmanager
def store_errors() -> Iterator[None]:
    """The store's errors in our words; the cause goes to the log, not to the client."""
    try:
        yield
    except StoreFullError as error:
        raise StorageFullError from error
    except StoreError as error:
        logger.error("store_failed", exc_info=True)
        raise StorageUnavailableError(headers={"Retry-After": "5"}) from error


def free_bytes() -> int | None:
    """What the store has left, asked before anything is locked: a disk may be slow to answer."""
    with store_errors():
        return blob_store().free_bytes()


def check_reserve() -> None:
    """Raises StorageFullError when what is left is what uploads leave alone."""
    free = free_bytes()
    if free is not None and free < settings.MIN_FREE_BYTES:
        raise StorageFullError
