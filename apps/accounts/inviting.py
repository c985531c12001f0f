"""Owns the use cases of invitations: make one, find the one a link belongs to, use it up. Knows no HTTP."""

from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.translation import gettext_lazy as _

from apps.accounts.errors import InvalidAccountError, InvitationUsedError
from apps.accounts.models import Invitation, User, secret_digest

INVITATION_DAYS = 7
INVITATION_DAYS_MAX = 90
_TOKEN_CHARACTERS = 22  # of 62: 130 random bits


def invitation_create(
    *, made_by: User | None, email: str = "", days: int = INVITATION_DAYS
) -> tuple[Invitation, str]:
    """A new invitation and its token, which is stored nowhere: only its digest is. For staff alone to call.

    `email`: the account must have this address. Raises InvalidAccountError.
    """
    if not 1 <= days <= INVITATION_DAYS_MAX:
        raise InvalidAccountError(
            "days",
            _("An invitation lives at least 1 day and at most {most}."),
            most=INVITATION_DAYS_MAX,
        )
    token = get_random_string(_TOKEN_CHARACTERS)
    invitation = Invitation.objects.create(
        digest=secret_digest(token),
        email=_checked_email(email),
        made_by=made_by,
        expires_at=timezone.now() + timedelta(days=days),
    )
    return invitation, token


def _checked_email(email: str) -> str:
    email = email.strip().lower()
    try:
        if email:
            validate_email(email)
    except ValidationError:
        raise InvalidAccountError("email", _("This is not an e-mail address.")) from None
    return email


def invitation_link(token: str) -> str:
    """The address to give to whoever is invited."""
    return f"{settings.PUBLIC_URL}{reverse('account_invitation', args=[token])}"


def invitation_mail(*, invitation: Invitation, token: str) -> None:
    """Send the link to the address that the invitation is for. Not for a request: it waits for the mail server."""
    context = {"link": invitation_link(token), "expires_at": invitation.expires_at}
    send_mail(
        str(_("You are invited to make an account")),
        render_to_string("account/email/invitation_message.txt", context),
        None,
        [invitation.email],
    )


def invitation_open(*, token: str) -> Invitation:
    """The invitation behind a link, if an account can still be made with it. Raises InvitationUsedError."""
    invitation = Invitation.objects.with_token(token).usable(timezone.now()).first()
    if invitation is None:
        raise InvitationUsedError
    return invitation


def invitation_use(*, invitation_id: int, user: User) -> None:
    """Use an invitation up for an account that the same transaction makes. Raises InvitationUsedError: roll it back."""
    if not Invitation.objects.use(invitation_id, user):
        raise InvitationUsedError
