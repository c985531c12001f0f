"""Owns what a sender changes in a transfer after it was made: its choices, and whether the link opens. Knows no HTTP.

Every change is one conditional UPDATE, so that it cannot undo what downloads, staff or the clock did meanwhile.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from apps.common.enqueue import enqueue
from apps.common.errors import NotFoundError
from apps.transfers.caching import transfer_changed
from apps.transfers.choices import (
    check_emails_count,
    checked_emails,
    checked_expiry,
    checked_limit,
    checked_text,
    hashed_password,
)
from apps.transfers.errors import InvalidTransferError, TransferTakenDownError
from apps.transfers.models import MESSAGE_MAX_CHARACTERS, TITLE_MAX_CHARACTERS, LinkMail, Transfer
from apps.transfers.rules import MailKind, MailState, clean_line, clean_message
from apps.transfers.services import sender_check_alive


class Keep:
    """What a choice is that nobody wants to change; None and the empty text are choices themselves."""


KEEP: Final = Keep()


def transfer_change(
    *,
    transfer: Transfer,
    title: str | Keep = KEEP,
    message: str | Keep = KEEP,
    password: str | Keep = KEEP,
    download_limit: int | Keep | None = KEEP,
    expires_at: datetime | Keep = KEEP,
    expires_days: int | Keep = KEEP,
    delete_after_download: bool | Keep = KEEP,
    notify_on_download: bool | Keep = KEEP,
) -> None:
    """Change what the sender chose; an empty password removes it, a limit of None takes the limit away.

    Raises InvalidTransferError (also for a limit below the downloads that were made), TransferExpiredError,
    TransferTakenDownError and NotFoundError when the transfer was removed meanwhile.
    """
    changes = _flags(delete_after_download=delete_after_download, notify_on_download=notify_on_download)
    if not isinstance(title, Keep):
        changes["title"] = checked_text("title", clean_line(title), TITLE_MAX_CHARACTERS)
    if not isinstance(message, Keep):
        changes["message"] = checked_text("message", clean_message(message), MESSAGE_MAX_CHARACTERS)
    if not isinstance(password, Keep):
        changes["password"] = hashed_password(password)
    if not isinstance(download_limit, Keep):
        changes["download_limit"] = checked_limit(download_limit)
    if not isinstance(expires_at, Keep):
        changes["expires_at"] = checked_expiry(at=expires_at)
    elif not isinstance(expires_days, Keep):
        changes["expires_at"] = checked_expiry(days=expires_days)
    if changes:
        _write(transfer, changes)


def _flags(**flags: bool | Keep) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if not isinstance(value, Keep)}


def _write(transfer: Transfer, changes: dict[str, Any]) -> None:
    """In the database, if it still may be; and in this object. The row's own newest count of downloads decides."""
    limit = changes.get("download_limit")
    fits = Q() if limit is None else Q(download_count__lte=limit)
    alive = Transfer.objects.alive(timezone.now()).filter(fits, pk=transfer.pk, taken_down_at=None)
    if not alive.update(**changes):
        _refuse(transfer, limit)
    for name, value in changes.items():
        setattr(transfer, name, value)
    transfer_changed(transfer.token)


def _refuse(transfer: Transfer, limit: int | None) -> None:
    """Say why nothing was written: what the row says now, not what it said when the page was opened."""
    now = Transfer.objects.filter(pk=transfer.pk).first()
    if now is None:
        raise NotFoundError
    sender_check_alive(transfer=now)
    if limit is not None and limit < now.download_count:
        made = now.download_count
        words = ngettext_lazy(
            "There was {made} download already: the limit cannot be lower.",
            "There were {made} downloads already: the limit cannot be lower.",
            made,
        )
        raise InvalidTransferError("download_limit", words, made=made)
    # It was so for a moment, and is not any more: whoever asks again is answered.
    raise InvalidTransferError("", _("This transfer was changed at the same moment. Try again."))


def transfer_close(*, transfer: Transfer) -> None:
    """Shut the link for recipients; files and uploads stay. Closing twice is no error. Raises NotFoundError."""
    closed_at = timezone.now()
    if not Transfer.objects.filter(pk=transfer.pk, closed_at=None).update(closed_at=closed_at):
        _check_there(transfer)
    transfer.closed_at = transfer.closed_at or closed_at
    transfer_changed(transfer.token)


def transfer_open(*, transfer: Transfer) -> None:
    """Open a closed link again. Opening twice is no error.

    Raises TransferExpiredError (its files are gone), TransferTakenDownError and NotFoundError.
    """
    alive = Transfer.objects.alive(timezone.now()).filter(pk=transfer.pk, taken_down_at=None)
    if not alive.update(closed_at=None):
        sender_check_alive(transfer=_check_there(transfer))
        raise TransferTakenDownError  # a moment ago; somebody has just restored it
    transfer.closed_at = None
    transfer_changed(transfer.token)


def _check_there(transfer: Transfer) -> Transfer:
    now = Transfer.objects.filter(pk=transfer.pk).first()
    if now is None:
        raise NotFoundError
    return now


def transfer_mail(*, transfer: Transfer, emails: Sequence[str]) -> int:
    """Mail the link to these addresses too, when its files are there; returns how many mails will go out. An address
    that has it is left alone, one where it failed is tried again. Whoever calls this asks `mail_check` first.

    Raises InvalidTransferError (no address, too many of one transfer) and NotFoundError.
    """
    addresses = checked_emails(emails)
    if not addresses:
        raise InvalidTransferError("emails", _("Give at least one e-mail address."))
    mails = LinkMail.objects.filter(transfer=transfer, kind=MailKind.LINK)
    with transaction.atomic():
        # Locked, so that two pages together cannot pass the limit.
        if not Transfer.objects.lock(transfer.pk):
            raise NotFoundError
        known = set(mails.values_list("address", flat=True))
        fresh = [address for address in addresses if address not in known]
        check_emails_count(len(known) + len(fresh))
        LinkMail.objects.bulk_create(LinkMail(transfer=transfer, address=address) for address in fresh)
        failed = mails.filter(address__in=addresses, state=MailState.FAILED)
        again = failed.update(state=MailState.WAITING, reason="", attempts=0, claimed_until=None)
        enqueue("transfers.send_mails", str(transfer.pk))
    return len(fresh) + again
