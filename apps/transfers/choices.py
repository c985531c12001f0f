"""Owns what a sender's choice must be like before it is written, and the words when it is not. Writes nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.transfers.errors import InvalidTransferError
from apps.transfers.rules import chosen_days

PASSWORD_MAX_CHARACTERS = 200
DOWNLOAD_LIMIT_MAX = 1_000_000
EMAILS_MAX = 20  # of one transfer


def checked_text(field: str, text: str, most: int) -> str:
    """The text, if it is short enough. Raises InvalidTransferError."""
    if len(text) > most:
        raise InvalidTransferError(
            field,
            _("The {field} may have at most {most} characters."),
            field=field.replace("_", " "),
            most=most,
        )
    return text


def hashed_password(password: str) -> str:
    """What is stored of a transfer's password; empty for none. Raises InvalidTransferError."""
    checked_text("password", password, PASSWORD_MAX_CHARACTERS)
    try:
        return make_password(password) if password else ""
    except UnicodeEncodeError:
        raise InvalidTransferError(
            "password", _("The password has characters that cannot be typed.")
        ) from None


def checked_limit(limit: int | None) -> int | None:
    """The download limit, if there can be one like it. Raises InvalidTransferError."""
    if limit is not None and not 1 <= limit <= DOWNLOAD_LIMIT_MAX:
        raise InvalidTransferError(
            "download_limit",
            _("The download limit must be between 1 and {most}."),
            most=DOWNLOAD_LIMIT_MAX,
        )
    return limit


def checked_expiry(*, days: int | None = None, at: datetime | None = None) -> datetime:
    """When a link ends: at a moment, after so many days, or after the usual time. Raises InvalidTransferError."""
    now, most = timezone.now(), settings.TRANSFER_EXPIRES_DAYS_MAX
    if at is not None:
        # Some slack at the far end: whoever chooses the last day means all of it, wherever they live.
        if not now < at <= now + timedelta(days=most + 1):
            raise InvalidTransferError(
                "expires_at", _("A link must end within {most} days from now."), most=most
            )
        return at
    if days is not None and not 1 <= days <= most:
        raise InvalidTransferError(
            "expires_days", _("A link lives at least 1 day and at most {most}."), most=most
        )
    return now + timedelta(days=chosen_days(days, default=settings.TRANSFER_EXPIRES_DAYS, maximum=most))


def checked_emails(emails: Sequence[str]) -> list[str]:
    """The addresses, each once. Raises InvalidTransferError."""
    addresses = list(dict.fromkeys(email.strip() for email in emails if email.strip()))
    check_emails_count(len(addresses))
    for address in addresses:
        try:
            validate_email(address)
        except ValidationError:
            raise InvalidTransferError(
                "emails", _("{address} is not an e-mail address."), address=address[:100]
            ) from None
    return addresses


def check_emails_count(count: int) -> None:
    """Raises InvalidTransferError when one transfer's link would go to more addresses than it may."""
    if count > EMAILS_MAX:
        raise InvalidTransferError(
            "emails", _("The link can be mailed to at most {most} addresses."), most=EMAILS_MAX
        )
