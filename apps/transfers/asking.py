"""Owns the use cases of links that ask for files: make one, close it, send through it. Knows no HTTP."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.common.errors import NotFoundError
from apps.transfers.choices import checked_expiry, checked_text
from apps.transfers.errors import InvalidTransferError, RequestEndedError
from apps.transfers.models import (
    MESSAGE_MAX_CHARACTERS,
    TITLE_MAX_CHARACTERS,
    FileRequest,
    LinkMail,
    Transfer,
)
from apps.transfers.rules import MailKind, clean_line, clean_message
from apps.transfers.services import transfer_create

OPEN_REQUESTS_MAX = 100  # of one account


def request_create(
    *,
    owner: User,
    title: str = "",
    message: str = "",
    expires_days: int | None = None,
    expires_at: datetime | None = None,
) -> FileRequest:
    """A new link through which others send to `owner`. Raises InvalidTransferError."""
    if owner.file_requests.open(timezone.now()).count() >= OPEN_REQUESTS_MAX:
        raise InvalidTransferError("", _("You have too many open requests. Close one first."))
    return FileRequest.objects.create(
        owner=owner,
        title=checked_text("title", clean_line(title), TITLE_MAX_CHARACTERS),
        message=checked_text("message", clean_message(message), MESSAGE_MAX_CHARACTERS),
        expires_at=checked_expiry(days=expires_days, at=expires_at),
        language=get_language() or "",
    )


def request_close(*, request: FileRequest) -> None:
    """Take nothing through this link any more; what has come, and what is on its way, stays. Twice is no error."""
    FileRequest.objects.filter(pk=request.pk, closed_at=None).update(closed_at=timezone.now())


def request_check_open(*, request: FileRequest) -> None:
    """Let those pass who may send through this link. Raises RequestEndedError."""
    if not FileRequest.objects.open(timezone.now()).filter(pk=request.pk).exists():
        raise RequestEndedError


def request_answer(
    *, request: FileRequest, sender_name: str = "", message: str = "", hidden: bool = False
) -> tuple[Transfer, str]:
    """A new transfer to whoever asked, and the sender's secret. Its owner's quota and the site's limits apply, and the
    request is the permission to send. The owner is told when its files are there. `hidden` as for `transfer_create`.

    Raises RequestEndedError, InvalidTransferError and NotFoundError.
    """
    with transaction.atomic():
        # Locked: closing comes before or after, and what was made before stays.
        found = (
            FileRequest.objects.select_for_update(of=("self",)).select_related("owner").filter(pk=request.pk)
        )
        asked = found.first()
        if asked is None:
            raise NotFoundError
        request_check_open(request=asked)
        transfer, secret = transfer_create(
            owner=asked.owner,
            title=asked.title,
            message=message,
            request=asked,
            sender_name=sender_name,
            hidden=hidden,
        )
        if asked.owner.email:
            LinkMail.objects.create(transfer=transfer, address=asked.owner.email, kind=MailKind.RECEIVED)
    return transfer, secret
