"""Owns the plain PUT of one file: `curl -T big.iso https://host/`. It makes a transfer that is whole or not there:
nobody could go on with half of one.
"""

from contextlib import suppress
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.common.errors import DATABASE_ERRORS
from apps.transfers.models import Transfer
from apps.transfers.services import transfer_create, transfer_delete, transfer_reveal
from apps.uploads.errors import PutBrokenError, UploadError, UploadInterruptedError
from apps.uploads.ports import ByteSource
from apps.uploads.reserve import check_reserve
from apps.uploads.rules import Metadata
from apps.uploads.services import upload_append, upload_create


def file_put(
    *,
    owner: User | None,
    address: str,
    metadata: Metadata,
    length: int,
    source: ByteSource,
    choices: dict[str, Any],
) -> tuple[Transfer, str]:
    """A transfer with one file of `length` bytes, and the sender's secret. `choices` are those of `transfer_create`.

    The transfer is hidden until every byte is there. What a killed instance leaves behind expires in minutes.
    Raises PutBrokenError, and what `transfer_create`, `upload_create` and `upload_append` raise.
    """
    check_reserve()
    with transaction.atomic():
        transfer, secret = transfer_create(owner=owner, hidden=True, **choices)
        upload = upload_create(
            transfer=transfer, length=length, metadata=metadata, address=address, alone=length > 0
        )
    if length:
        try:
            upload_append(upload_id=upload.pk, offset=0, announced=length, source=source, alone=True)
        except (UploadError, *DATABASE_ERRORS) as error:
            _forget(transfer)
            raise PutBrokenError if isinstance(error, UploadInterruptedError) else error from None
    transfer_reveal(transfer=transfer, secret=secret)
    return transfer, secret


def _forget(transfer: Transfer) -> None:
    """Without a database it stays hidden, and expires."""
    with suppress(*DATABASE_ERRORS):
        transfer_delete(transfer=transfer)
