"""Owns how much uploads may take: of a transfer, of an account, of an address, of the store. Moves no bytes.

An upload reserves room for all its announced bytes when it is made, so that a thousand chunks or fifty requests at once
cannot pass a limit; what is removed, abandoned ones too, gives its room back with its row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from django.conf import settings

from apps.common.together import Question
from apps.throttling.address import address_digest
from apps.transfers.models import Transfer
from apps.uploads.errors import (
    QuotaExceededError,
    StorageFullError,
    StorageUnavailableError,
    TransferTooLargeError,
)
from apps.uploads.models import Upload
from apps.uploads.ports import StoreError
from apps.uploads.store import blob_store


@dataclass(frozen=True)
class Payer:
    """Whose quota an upload's room is taken from: an account's, else that of a client address, kept as a digest."""

    owner_id: int | None
    address: str

    @classmethod
    def of(cls, transfer: Transfer, client_address: str) -> Self:
        """The transfer's owner pays; where nobody is signed in, the address that sends."""
        if transfer.owner_id is not None or not client_address:
            return cls(transfer.owner_id, "")
        return cls(None, address_digest(client_address))


def room_questions(*, transfer: Transfer, payer: Payer, free_bytes: int | None) -> list[Question]:
    """What is asked behind the transfer's lock before an upload's room is granted. The transaction has written the
    upload already, so each sum includes it. `free_bytes` is what the store has left, None where that has no meaning.

    Asking raises TransferTooLargeError, QuotaExceededError, StorageFullError and StorageUnavailableError.
    """
    questions = [Upload.objects.transfer_room(transfer.pk, _check_transfer)]
    if payer.owner_id is not None or payer.address:
        questions.append(Upload.objects.payer_lock(payer.owner_id, payer.address))
        questions.append(Upload.objects.payer_room(payer.owner_id, payer.address, _payer_check(payer)))
    if free_bytes is not None:
        # Everybody's lock comes last: nobody waits behind it for somebody else's sums.
        questions.append(Upload.objects.store_lock())
        questions.append(Upload.objects.store_need(_check_store))
    return questions


def _check_transfer(reserved: int) -> None:
    most = settings.MAX_TRANSFER_BYTES
    if most and reserved > most:
        raise TransferTooLargeError(data={"max_bytes": most})


def _payer_check(payer: Payer) -> Callable[[int, int | None], None]:
    usual = settings.MAX_ACCOUNT_BYTES if payer.owner_id is not None else settings.MAX_ADDRESS_BYTES

    def check(reserved: int, own_quota: int | None) -> None:
        most = usual if own_quota is None else own_quota
        if most and reserved > most:
            raise QuotaExceededError(data={"max_bytes": most})

    return check


def _check_store(need: int) -> None:
    """What is free is looked up after what is needed, behind the lock: bytes that are written between the two are then
    counted twice. The other way round they would not be counted at all, and the reserve could be passed.
    """
    try:
        free = blob_store().free_bytes()
    except StoreError as error:
        raise StorageUnavailableError(headers={"Retry-After": "5"}) from error
    if free is not None and need > free - settings.MIN_FREE_BYTES:
        raise StorageFullError


def account_room(owner_id: int) -> int:
    """Bytes that count against an account's quota now: what its uploads have reserved, finished ones too."""
    return Upload.objects.room_of(owner_id)
