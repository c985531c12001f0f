"""Owns the use cases of blocks: who is blocked makes nothing new here. What they sent before is others' matter."""

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.common.errors import ForbiddenError, InvalidInputError
from apps.throttling.address import address_digest
from apps.throttling.models import Block


class SenderBlockedError(ForbiddenError):
    """Staff has blocked this sender."""

    code = "sender_blocked"
    message = _("Sending from here has been blocked by whoever runs this site.")
    what_to_do = _("Ask whoever runs this site.")


def block_check(*, account_id: int | None, address: str) -> None:
    """Let those pass who are not blocked; `address` is the client's, or empty. Raises SenderBlockedError."""
    digest = address_digest(address) if address else ""
    if (account_id is not None or digest) and (
        Block.objects.standing(timezone.now()).on(account_id=account_id, digest=digest).exists()
    ):
        raise SenderBlockedError


def block_create(
    *,
    account_id: int | None = None,
    address: str = "",
    digest: str = "",
    shown: str,
    reason: str,
    by: str,
    until: datetime | None = None,
) -> Block:
    """Block an account, an address, or the address behind a digest. Raises InvalidInputError."""
    if not reason.strip():
        raise InvalidInputError("Say why.")
    if until is not None and until <= timezone.now():
        raise InvalidInputError("That moment has passed.")
    digest = address_digest(address) if address else digest
    if (account_id is None) == (not digest):
        raise InvalidInputError("A block is on an account or on an address.")
    return Block.objects.create(
        account_id=account_id,
        address_digest=digest,
        shown=shown[:200],
        reason=reason.strip()[:200],
        by=by,
        until=until,
    )


def block_lift(*, block_id: int, by: str) -> bool:
    """Let somebody send again; False when the block had ended."""
    return Block.objects.lift(block_id, by=by)
