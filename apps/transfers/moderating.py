"""Owns what staff does to other people's transfers: take down, restore within days, and the removal after those.

Nothing is lost by a take-down: no byte goes by expiry before TAKEDOWN_KEEP_DAYS are over.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.common.errors import ForbiddenError
from apps.transfers.caching import transfer_changed
from apps.transfers.errors import InvalidTransferError
from apps.transfers.models import Transfer
from apps.transfers.services import transfer_delete

logger = structlog.get_logger(__name__)
REASON_MAX_CHARACTERS = 200


class NotTakenDownError(ForbiddenError):
    """There is nothing to restore: it is not taken down, or was for too long."""

    code = "transfer_not_taken_down"
    message = _("This transfer is not taken down, or has been for too long to be restored.")
    what_to_do = _("Look at it again.")


class AlreadyTakenDownError(ForbiddenError):
    """Somebody else was faster."""

    code = "transfer_already_taken_down"
    message = _("This transfer is taken down already.")
    what_to_do = _("Look at it again.")


def transfer_take_down(*, transfer_id: uuid.UUID, reason: str) -> None:
    """Close a link in staff's name; recipients meet a page that says so. Raises InvalidTransferError without a reason,
    AlreadyTakenDownError.
    """
    reason = reason.strip()[:REASON_MAX_CHARACTERS]
    if not reason:
        raise InvalidTransferError("reason", str(_("Say why it is taken down.")))
    with transaction.atomic():
        standing = Transfer.objects.filter(pk=transfer_id, taken_down_at=None)
        if not standing.update(taken_down_at=timezone.now(), take_down_reason=reason):
            raise AlreadyTakenDownError
        transfer_changed(transfer_id)
    logger.info("transfer_taken_down", transfer=str(transfer_id))


def transfer_restore(*, transfer_id: uuid.UUID) -> None:
    """Open a link again that staff closed. The time that it was down for is given back to one that was alive then, and
    to each upload that waited for more: it goes on from where it stands.

    Raises NotTakenDownError.
    """
    now = timezone.now()
    # One that had expired when it was taken down goes as it would have gone.
    until = Case(
        When(expires_at__gte=F("taken_down_at"), then=F("expires_at") + (Value(now) - F("taken_down_at"))),
        default=F("expires_at"),
    )
    with transaction.atomic():
        down = Transfer.objects.filter(pk=transfer_id, taken_down_at__gte=now - _kept())
        # Locked, transfer before uploads: nobody else restores it meanwhile, and its uploads' clocks move with it.
        found = down.select_for_update(no_key=True).first()
        if found is None:
            raise NotTakenDownError
        assert found.taken_down_at is not None  # that is how it was found
        _uploads_wait_on(found, found.taken_down_at, now)
        down.update(expires_at=until, taken_down_at=None, take_down_reason="")
        transfer_changed(transfer_id)
    logger.info("transfer_restored", transfer=str(transfer_id))


def _uploads_wait_on(transfer: Transfer, since: datetime, now: datetime) -> None:
    # The uploads app stands above this one: its rows are reached from the transfer, never imported.
    uploads: Any = transfer.uploads
    uploads.filter(expires_at__gte=since).update(expires_at=F("expires_at") + (now - since))


def taken_down_purge(*, most: int = 100) -> int:
    """Remove what nobody may restore any more, with its bytes; returns how many transfers."""
    before = timezone.now() - _kept()
    due = list(Transfer.objects.taken_down_before(before).values_list("pk", flat=True)[:most])
    return sum(_purge_one(transfer_id) for transfer_id in due)


def _purge_one(transfer_id: uuid.UUID) -> bool:
    with transaction.atomic():
        # Asked again behind the lock: it may just have been restored.
        down = Transfer.objects.taken_down_before(timezone.now() - _kept()).select_for_update()
        transfer = down.filter(pk=transfer_id).first()
        if transfer is None:
            return False
        transfer_delete(transfer=transfer)
    return True


def _kept() -> timedelta:
    return timedelta(days=settings.TAKEDOWN_KEEP_DAYS)
