"""Owns the use cases of uploads: create, append, settle the offset, terminate, expire. Knows nothing of HTTP."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.common.enqueue import enqueue
from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.transfers.services import file_add, transfer_create
from apps.uploads.appending import Appending, Lease, file_hand_over
from apps.uploads.errors import (
    StorageFullError,
    StorageUnavailableError,
    UploadExpiredError,
    UploadFinishedError,
    UploadInterruptedError,
    UploadLeaseLostError,
    UploadLockedError,
    UploadNotFoundError,
    UploadOffsetConflictError,
    UploadTooLongError,
)
from apps.uploads.models import Upload
from apps.uploads.ports import ByteSource, StoreError, StoreFullError
from apps.uploads.rules import Metadata, Pause, room_left
from apps.uploads.store import blob_store

logger = structlog.get_logger(__name__)

_POLL_SECONDS = 0.1  # between two looks at a lease that somebody else holds


def upload_create(*, transfer: Transfer, length: int, metadata: Metadata) -> Upload:
    """A new upload and its file, in one transaction. `length` is in bytes.

    Raises what `file_add` raises (too large, too many files, transfer expired) and StorageFullError.
    """
    expires_at = timezone.now() + timedelta(seconds=settings.UPLOAD_EXPIRES_SECONDS)
    upload = Upload(length=length, metadata=metadata.raw, expires_at=expires_at)

    def with_it(file: File) -> None:
        # A file this site never takes has been told so by now. Parts and the assembled blob lie side by side for a
        # moment: twice the length must fit.
        with _store_errors():
            _check_room(2 * length)
        upload.file = file
        upload.save(force_insert=True)
        if length == 0:
            file_hand_over(file_id=file.pk)

    file_add(
        transfer=transfer,
        name=metadata.name,
        size=length,
        claimed_type=metadata.type,
        expected_sha256=metadata.sha256,
        with_it=with_it,
    )
    return upload


def upload_create_alone(*, owner: User | None, length: int, metadata: Metadata) -> tuple[Upload, str]:
    """A new upload in a new transfer of its own, and the sender's secret. Refused, it leaves no transfer behind."""
    with transaction.atomic():
        transfer, secret = transfer_create(owner=owner)
        return upload_create(transfer=transfer, length=length, metadata=metadata), secret


def upload_find(*, upload_id: uuid.UUID) -> Upload:
    """The upload with its file and transfer. Raises UploadNotFoundError and UploadExpiredError."""
    upload = Upload.objects.select_related("file__transfer").filter(pk=upload_id).first()
    if upload is None:
        raise UploadNotFoundError
    now = timezone.now()
    unfinished = upload.offset < upload.length
    if upload.file.transfer.expires_at < now or (unfinished and upload.expires_at < now):
        raise UploadExpiredError
    return upload


def upload_settle(*, upload_id: uuid.UUID, wait_seconds: float) -> Upload:
    """The upload at an offset that the next append is accepted at: nobody holds its lease.

    Raises UploadNotFoundError, UploadExpiredError and, when the holder does not let go in time, UploadLockedError.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        upload_find(upload_id=upload_id)
        if Upload.objects.settle(upload_id):
            # Read after the lease was taken away: a commit between the two reads cannot be missed.
            return upload_find(upload_id=upload_id)
        _wait_for_lease(upload_id, deadline)


def _wait_for_lease(upload_id: uuid.UUID, deadline: float) -> None:
    Upload.objects.ask_for(upload_id)
    connection.close()
    if time.monotonic() >= deadline:
        raise UploadLockedError(headers={"Retry-After": "1"})
    time.sleep(_POLL_SECONDS)


def lease_take(*, upload_id: uuid.UUID, offset: int) -> Lease:
    """The lease on an upload that stands at `offset`. Asks a present holder to let go and waits for it.

    Raises UploadNotFoundError, UploadExpiredError, UploadLockedError and UploadOffsetConflictError.
    """
    deadline = time.monotonic() + settings.LEASE_WAIT_SECONDS
    token, seconds = uuid.uuid4(), settings.LEASE_SECONDS
    while not (upload := Upload.objects.claim(upload_id, token, instance=settings.INSTANCE, seconds=seconds)):
        # Why not? Unknown or expired is told by the next line; else somebody holds it.
        upload_find(upload_id=upload_id)
        _wait_for_lease(upload_id, deadline)
    if upload.offset != offset:
        Upload.objects.release(upload_id, token)
        raise UploadOffsetConflictError(
            data={"offset": upload.offset}, headers={"Upload-Offset": str(upload.offset)}
        )
    return Lease(upload, token)


def _lease_return(lease: Lease) -> None:
    if lease.held:
        Upload.objects.release(lease.upload_id, lease.token)
        lease.given_back()


def upload_append(*, upload_id: uuid.UUID, offset: int, announced: int | None, source: ByteSource) -> Upload:
    """Append a request's body at `offset`. `announced` is its length in bytes, None if it did not say.

    Raises the refusals of `lease_take`, UploadTooLongError, UploadInterruptedError (what arrived is kept),
    UploadLeaseLostError, StorageFullError and StorageUnavailableError.
    """
    with _store_errors():
        _check_room(0)
    lease = lease_take(upload_id=upload_id, offset=offset)
    try:
        room = room_left(lease.upload.length, offset)
        if announced is not None and announced > room:
            raise UploadTooLongError(data={"room": room})
        connection.close()
        with _store_errors():
            pause = Appending(lease=lease, source=source, store=blob_store(), announced=announced).run()
    finally:
        _lease_return(lease)
    _raise_for(pause, lease)
    return lease.upload


def _raise_for(pause: Pause, lease: Lease) -> None:
    """Say why an append ended early; what had arrived by then is committed."""
    if pause is Pause.COMPLETE:
        return
    logger.info("append_paused", upload=str(lease.upload_id), why=pause.value, offset=lease.offset)
    headers = {"Upload-Offset": str(lease.offset), "Retry-After": "1"}
    if pause is Pause.TOO_LONG:
        raise UploadTooLongError(data={"room": room_left(lease.upload.length, lease.offset)})
    if pause is Pause.WANTED:
        raise UploadLeaseLostError(headers=headers)
    raise UploadInterruptedError(data={"why": pause.value, "offset": lease.offset}, headers=headers)


@contextmanager
def _store_errors() -> Iterator[None]:
    """The store's errors in our words; the cause goes to the log, not to the client."""
    try:
        yield
    except StoreFullError as error:
        raise StorageFullError from error
    except StoreError as error:
        logger.error("store_failed", exc_info=True)
        raise StorageUnavailableError(headers={"Retry-After": "5"}) from error


def _check_room(size: int) -> None:
    free = blob_store().free_bytes()
    if free is not None and free - settings.MIN_FREE_BYTES < size:
        raise StoreFullError("less than the reserve is free")


def upload_terminate(*, upload_id: uuid.UUID) -> None:
    """Forget an unfinished upload: its rows now, its bytes right after.

    Raises UploadNotFoundError, UploadExpiredError, UploadLockedError while somebody appends, and UploadFinishedError
    once the file has arrived whole.
    """
    upload_find(upload_id=upload_id)
    with transaction.atomic():
        # 1. Lock the row if nobody claimed it meanwhile: from here on no append can commit. 2. Ask the file's state,
        # which only the last commit changes. 3. Delete.
        free = Upload.objects.free().select_for_update(of=("self",)).filter(pk=upload_id).first()
        if free is None:
            raise UploadLockedError(headers={"Retry-After": "1"})
        _unfinished_delete(free)


def _unfinished_delete(locked: Upload) -> None:
    """Delete a file that is still arriving; its upload's row is locked by the caller's transaction."""
    file = File.objects.get(pk=locked.file_id)
    if file.state != FileState.UPLOADING:
        raise UploadFinishedError
    file.delete()
    enqueue("processing.discard", {"blob_keys": [], "upload_ids": [str(locked.pk)]})


def uploads_expire(*, most: int = 500) -> int:
    """Remove unfinished uploads that waited too long, at most `most` of them; returns how many.

    An upload that is being appended to is left alone: its lease is not free.
    """
    due = list(Upload.objects.expired(timezone.now()).free().values_list("pk", flat=True)[:most])
    return sum(_expire_one(upload_id) for upload_id in due)


def _expire_one(upload_id: uuid.UUID) -> bool:
    """Remove one of them, unless it was taken up again or somebody else is at it."""
    with transaction.atomic():
        free = Upload.objects.expired(timezone.now()).free().select_for_update(skip_locked=True)
        upload = free.filter(pk=upload_id).first()
        if upload is None:
            return False
        _unfinished_delete(upload)
    return True


def sender_of(user: object) -> User | None:
    """The signed-in sender, or None for a visitor."""
    return user if isinstance(user, User) else None
