"""Owns the use cases of uploads: create, append, settle the offset, terminate. Knows nothing of HTTP."""

import uuid
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.transfers.caching import transfer_changed
from apps.transfers.discarding import discard_later
from apps.transfers.models import File, Transfer
from apps.transfers.services import file_add, transfer_create
from apps.uploads.appending import ALONE_EXPIRES_SECONDS, Appending, file_hand_over
from apps.uploads.errors import (
    UploadChunkTooLargeError,
    UploadInterruptedError,
    UploadLeaseLostError,
    UploadLockedError,
    UploadMismatchError,
    UploadTooLongError,
    UploadUsedError,
)
from apps.uploads.growing import upload_fix_length, upload_grow
from apps.uploads.leasing import Lease, lease_return, lease_take, upload_find
from apps.uploads.models import Upload
from apps.uploads.ports import ByteSource
from apps.uploads.reserve import check_reserve, free_bytes, store_errors
from apps.uploads.room import Payer, room_questions
from apps.uploads.rules import CHECKSUM_MAX_BYTES, Checksum, Metadata, Pause
from apps.uploads.store import blob_store

logger = structlog.get_logger(__name__)


def upload_create(
    *,
    transfer: Transfer,
    length: int | None,
    metadata: Metadata,
    address: str = "",
    reserved: int = 0,
    alone: bool = False,
) -> Upload:
    """A new upload and its file, in one transaction. `length` is in bytes, None while nobody knows it: then room is
    kept for `reserved` bytes. `address` is the client's, `alone` as for `Appending`.

    Raises what `file_add` raises (too large, too many files, transfer expired) and what `room_questions` do when asked.
    """
    size = reserved if length is None else length
    upload = upload_new(transfer=transfer, length=length, reserved=size, metadata=metadata, address=address)
    if alone:
        upload.expires_at = timezone.now() + timedelta(seconds=ALONE_EXPIRES_SECONDS)

    def with_it(file: File) -> None:
        upload.file = file
        upload.save(force_insert=True)
        if length == 0:
            file_hand_over(file_id=file.pk)

    file_add(
        transfer=transfer,
        name=metadata.name,
        size=size,
        claimed_type=metadata.type,
        folder=metadata.folder,
        expected_sha256=metadata.sha256,
        with_it=with_it,
        questions=room_questions(
            transfer=transfer, payer=Payer(upload.owner_id, upload.address), free_bytes=free_bytes()
        ),
    )
    return upload


def upload_new(
    *, transfer: Transfer, length: int | None, reserved: int, metadata: Metadata, address: str
) -> Upload:
    """An upload that is not saved yet; who pays for its room is decided."""
    payer = Payer.of(transfer, address)
    return Upload(
        transfer=transfer,
        length=length,
        reserved=reserved,
        owner_id=payer.owner_id,
        address=payer.address,
        metadata=metadata.raw,
        expires_at=timezone.now() + timedelta(seconds=settings.UPLOAD_EXPIRES_SECONDS),
    )


def upload_create_alone(
    *, owner: User | None, length: int | None, metadata: Metadata, address: str = "", reserved: int = 0
) -> tuple[Upload, str]:
    """A new upload in a new transfer of its own, and the sender's secret. Refused, it leaves no transfer behind."""
    with transaction.atomic():
        transfer, secret = transfer_create(owner=owner)
        upload = upload_create(
            transfer=transfer, length=length, metadata=metadata, address=address, reserved=reserved
        )
    return upload, secret


def upload_append(
    *,
    upload_id: uuid.UUID,
    offset: int,
    announced: int | None,
    source: ByteSource,
    length: int | None = None,
    checksum: Checksum | None = None,
    alone: bool = False,
) -> Upload:
    """Append a request's body of `announced` bytes (None: nobody knows) at `offset`. `length` is the whole upload's if
    the request says so, `checksum` the body's, `alone` as for `Appending`.

    Raises the refusals of `lease_take` and of `upload_grow` and `upload_fix_length`,
    TransferTakenDownError (before or amid the body; what was committed before stands), UploadTooLongError,
    UploadChunkTooLargeError, UploadInterruptedError (what arrived is kept, unless there is a
    checksum), UploadMismatchError, UploadLeaseLostError, StorageFullError and StorageUnavailableError.
    """
    if checksum and (announced or 0) > CHECKSUM_MAX_BYTES:
        raise UploadChunkTooLargeError(data={"max_bytes": CHECKSUM_MAX_BYTES})
    check_reserve()
    lease = lease_take(upload_id=upload_id, offset=offset)
    try:
        _make_room(lease, announced or 0, length)
        connection.close()
        with store_errors():
            pause = Appending(
                lease=lease,
                source=source,
                store=blob_store(),
                announced=announced,
                checksum=checksum,
                alone=alone,
            ).run()
    finally:
        lease_return(lease)
    _raise_for(pause, lease)
    return lease.upload


def _make_room(lease: Lease, announced: int, length: int | None) -> None:
    """See that the body fits, before a byte of it is taken. A refusal changes neither length nor room."""
    upload = lease.upload
    if length is not None:
        if upload.length is None and 0 <= length - upload.offset < announced:
            raise UploadTooLongError(data={"room": length - upload.offset})
        upload_fix_length(lease=lease, length=length)
    elif upload.length is None and announced > upload.room:
        upload_grow(lease=lease, size=upload.offset + announced)
    if announced > upload.room:
        raise UploadTooLongError(data={"room": upload.room})


def _raise_for(pause: Pause, lease: Lease) -> None:
    """Say why an append ended early; what had arrived by then is committed, unless it had to be verified."""
    if pause is Pause.COMPLETE:
        return
    logger.info("append_paused", upload=str(lease.upload_id), why=pause.value, offset=lease.offset)
    headers = {"Upload-Offset": str(lease.offset), "Upload-Expires": lease.upload.expires_header}
    if pause is Pause.TOO_LONG:
        raise UploadTooLongError(data={"room": lease.upload.room}, headers=headers)
    if pause is Pause.MISMATCH:
        raise UploadMismatchError(data={"offset": lease.offset}, headers=headers)
    headers["Retry-After"] = "1"
    if pause is Pause.WANTED:
        raise UploadLeaseLostError(headers=headers)
    raise UploadInterruptedError(data={"why": pause.value, "offset": lease.offset}, headers=headers)


def upload_terminate(*, upload_id: uuid.UUID) -> None:
    """Forget an upload, finished or not, and its file: the rows now, the bytes right after.

    Raises UploadNotFoundError, UploadExpiredError, UploadLockedError while somebody appends, and UploadUsedError for a
    partial upload that has become part of a file.
    """
    upload_find(upload_id=upload_id)
    with transaction.atomic():
        # 1. Lock the row if nobody claimed it meanwhile: from here on no append can commit. 2. Ask what has become of
        # it, which only the last commit or a final upload changes. 3. Delete.
        free = Upload.objects.free().select_for_update(of=("self",)).filter(pk=upload_id).first()
        if free is None:
            raise UploadLockedError(headers={"Retry-After": "1"})
        upload_delete_locked(free)
    hidden_forget(free)


def upload_delete_locked(locked: Upload) -> None:
    """Delete an upload, its file and what it is made of; its row is locked by the caller's transaction."""
    if locked.is_partial and locked.final_id is not None:
        raise UploadUsedError
    files = File.objects.filter(upload=locked)
    file = files.select_for_update(of=("self",)).first()
    discard_later(
        upload_ids=map(str, [locked.pk, *locked.partials.values_list("pk", flat=True)]),
        blob_keys=[*files.blob_keys(), *files.drop_archives()],
    )
    if file is not None:
        transfer_changed(file.transfer_id)
    (file or locked).delete()


def hidden_forget(upload: Upload) -> None:
    """Remove the transfer that was made for this upload alone, if it is empty now and nobody was told of it."""
    if upload.transfer_id is not None:
        Transfer.objects.hidden().filter(pk=upload.transfer_id, uploads=None, files=None).delete()


def sender_of(user: object) -> User | None:
    """The signed-in sender, or None for a visitor."""
    return user if isinstance(user, User) else None
