"""Owns what happens to an upload whose length is not known: it grows chunk by chunk, until its length is said once.

Room is asked for before a chunk is taken, behind the same questions as a creation's; the lease keeps others out.
"""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from apps.common.together import Question, ask_together
from apps.transfers.errors import FileTooLargeError
from apps.transfers.services import lock_transfer
from apps.uploads.appending import file_hand_over
from apps.uploads.errors import UploadLeaseLostError, UploadLengthError, UploadLengthFixedError
from apps.uploads.leasing import Lease
from apps.uploads.reserve import free_bytes
from apps.uploads.room import Payer, room_questions

# The row and its file's size in one statement, sent together with the locks around it. Two clocks: the message may have
# waited for a lock, so a lease is compared with what the time is now.
_RESIZE = """
WITH resized AS (
    UPDATE uploads_upload SET reserved = %(size)s, length = %(length)s
    WHERE id = %(id)s AND lease_token = %(token)s AND lease_until > clock_timestamp()
      AND length IS NULL AND "offset" <= %(size)s
    RETURNING file_id
), sized AS (
    UPDATE transfers_file SET size = %(size)s FROM resized WHERE transfers_file.id = resized.file_id
)
SELECT 1 FROM resized
"""


def upload_grow(*, lease: Lease, size: int) -> None:
    """Keep room for the first `size` bytes of an upload whose length is not known.

    Raises FileTooLargeError, UploadLeaseLostError, and what `room_questions` do when asked.
    """
    _resize(lease, size=size, length=None)


def upload_fix_length(*, lease: Lease, length: int) -> None:
    """Say how long an upload is, once. One that has arrived by then is whole: its file goes to processing.

    Saying the same again changes nothing. Raises UploadLengthFixedError, UploadLengthError for less than has arrived,
    FileTooLargeError, UploadLeaseLostError, and what `room_questions` do when asked.
    """
    if lease.upload.length == length:
        return
    if lease.upload.length is not None:
        raise UploadLengthFixedError(data={"length": lease.upload.length})
    if length < lease.offset:
        raise UploadLengthError(_("Upload-Length is less than what has arrived."))
    _resize(lease, size=length, length=length)


def _resize(lease: Lease, *, size: int, length: int | None) -> None:
    if size > settings.MAX_FILE_BYTES:
        raise FileTooLargeError(data={"max_bytes": settings.MAX_FILE_BYTES})
    upload = lease.upload
    transfer = upload.of_transfer
    payer = Payer(upload.owner_id, upload.address)
    params = {"id": upload.pk, "token": lease.token, "size": size, "length": length}
    questions = room_questions(transfer=transfer, payer=payer, free_bytes=free_bytes())
    with transaction.atomic():
        # The order of locks: transfer, upload, file, and those of room last.
        ask_together([lock_transfer(transfer.pk), Question(_RESIZE, params, _check_held), *questions])
        if upload.file_id is not None and length == upload.offset:
            file_hand_over(file_id=upload.file_id)
    upload.reserved, upload.length = size, length


def _check_held(row: Any) -> None:
    if row is None:
        raise UploadLeaseLostError
