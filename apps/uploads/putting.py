"""Owns what is sent in one request: a plain PUT (`curl -T big.iso https://host/`), or a form without script.

It makes a transfer that is whole or not there: nobody could go on with half of one.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.db import transaction

from apps.common.errors import DATABASE_ERRORS
from apps.transfers.models import Transfer
from apps.transfers.services import transfer_delete, transfer_reveal
from apps.uploads.errors import PutBrokenError, UploadError, UploadInterruptedError
from apps.uploads.models import Upload
from apps.uploads.ports import ByteSource
from apps.uploads.reserve import check_reserve
from apps.uploads.rules import Metadata
from apps.uploads.services import upload_append, upload_create


@dataclass(frozen=True)
class OfferedFile:
    """One file of `length` bytes, and where they come from."""

    metadata: Metadata
    length: int
    source: ByteSource


def files_put(
    *, make: Callable[..., tuple[Transfer, str]], address: str, files: Sequence[OfferedFile]
) -> tuple[Transfer, str]:
    """A transfer with these files, and the sender's secret. `make` is `transfer_create`, or `request_answer`, with all
    that was chosen.

    The transfer is hidden until every byte is there. What a killed instance leaves behind expires in minutes; what
    staff takes down meanwhile stays theirs. Raises PutBrokenError, and what `make`, `upload_create` and
    `upload_append` raise.
    """
    check_reserve()
    with transaction.atomic():
        transfer, secret = make(hidden=True)
        uploads = [_upload(transfer, file, address) for file in files]
    try:
        for upload, file in zip(uploads, files, strict=True):
            if file.length:
                _fill(upload, file)
    except (UploadError, *DATABASE_ERRORS) as error:
        _forget(transfer)
        raise PutBrokenError if isinstance(error, UploadInterruptedError) else error from None
    transfer_reveal(transfer=transfer, secret=secret)
    return transfer, secret


def _upload(transfer: Transfer, file: OfferedFile, address: str) -> Upload:
    return upload_create(
        transfer=transfer,
        length=file.length,
        metadata=file.metadata,
        address=address,
        alone=file.length > 0,
    )


def _fill(upload: Upload, file: OfferedFile) -> None:
    upload_append(upload_id=upload.pk, offset=0, announced=file.length, source=file.source, alone=True)


def _forget(transfer: Transfer) -> None:
    """Without a database it stays hidden, and expires."""
    with suppress(*DATABASE_ERRORS):
        transfer_delete(transfer=transfer)
