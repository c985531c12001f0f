"""Owns where allauth asks us: who may sign up, whose address counts, how often an account may be tried, which site a
key is for.
"""

from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.forms import BaseForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.errors import InvitationUsedError
from apps.accounts.inviting import invitation_use
from apps.accounts.models import Invitation, User
from apps.accounts.rules import SignUp, may_sign_up
from apps.throttling.address import client_address
from apps.throttling.rules import UNKNOWN_ADDRESS
from apps.throttling.services import throttle_hit

_NO_ADDRESS = "::"
INVITATION_KEY = "invitation"  # of a session: the invitation's id, which opens nothing elsewhere


def held_invitation(request: HttpRequest) -> Invitation | None:
    """The invitation whose link this browser opened, if an account can still be made with it."""
    held = request.session.get(INVITATION_KEY)
    return None if held is None else Invitation.objects.usable(timezone.now()).filter(pk=held).first()


class AccountAdapter(DefaultAccountAdapter):
    """allauth with our settings, our invitations and our throttles.

    Its own rate limits are off: they are a read and a write of the cache, so two instances can both take
    the last try, and without Redis they refuse every sign-in.
    """

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether this visitor may make an account."""
        policy = SignUp(settings.SIGN_UP)
        invited = policy is SignUp.INVITED and held_invitation(request) is not None
        return may_sign_up(policy, invited=invited)

    def save_user(self, request: HttpRequest, user: User, form: BaseForm, commit: bool = True) -> User:
        """Make the account and use the invitation up, both or neither. Raises InvitationUsedError."""
        if settings.SIGN_UP != SignUp.INVITED:
            return _made(super().save_user(request, user, form, commit))
        held = request.session.get(INVITATION_KEY)
        with transaction.atomic():
            made = _made(super().save_user(request, user, form, commit))
            if held is None:
                raise InvitationUsedError
            invitation_use(invitation_id=held, user=made)
        request.session.pop(INVITATION_KEY, None)
        return made

    def clean_email(self, email: str) -> str:
        """The address, if it is the one that the invitation is for. Raises ValidationError."""
        if settings.SIGN_UP == SignUp.INVITED and self.request.user.is_anonymous:
            invitation = held_invitation(self.request)
            if invitation and invitation.email and invitation.email != email.lower():
                raise ValidationError(_("The invitation is for another address."))
        return str(super().clean_email(email))

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that throttles count by; what is stored must be one, also where nobody could tell."""
        address = client_address(request)
        return _NO_ADDRESS if address == UNKNOWN_ADDRESS else address

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count a password try against the account it is for, so that many addresses together gain nothing.

        Raises TooManyRequestsError. Names that belong to nobody are counted alike: the answer tells nothing.
        """
        name = credentials.get("email") or credentials.get("username") or ""
        throttle_hit(scope="sign_in_name", key=str(name).casefold())


def _made(user: Any) -> User:
    assert isinstance(user, User)
    return user


class SecondFactorAdapter(DefaultMFAAdapter):
    """allauth's second factors, for this site by the name that PUBLIC_URL gives it."""

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Which site keys are for. Not the Host header's: behind a proxy that may be another name.

        A browser takes a key for an address of this host alone, so one that was made at 127.0.0.1 would be lost anyway.
        """
        return {"id": urlsplit(settings.PUBLIC_URL).hostname or "localhost", "name": settings.MFA_TOTP_ISSUER}
