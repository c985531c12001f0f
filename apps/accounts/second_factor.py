"""Owns the question whether a session may use staff powers: second factor set up, and given lately."""

import time
from enum import StrEnum

from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest

from apps.accounts.models import User
from apps.accounts.rules import second_factor_given

# A day's work. Whoever finds a staff member's browser open the day after has only a visitor's rights.
STAFF_SECONDS = 12 * 3600
# Recovery codes alone are no factor: they stand in for one that was lost.
_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


class StaffAnswer(StrEnum):
    """What a session of staff is told that wants to use staff powers."""

    YES = "yes"
    SET_UP = "set-up"
    GIVE = "give"


def has_second_factor(user: User) -> bool:
    """Whether somebody has set up what signing in would ask for."""
    return bool(Authenticator.objects.filter(user=user, type__in=_FACTORS).exists())


def staff_answer(request: HttpRequest, user: User) -> StaffAnswer:
    """Whether this session may use staff powers, or what is missing. Nothing is where STAFF_SECOND_FACTOR is off."""
    if not settings.STAFF_SECOND_FACTOR:
        return StaffAnswer.YES
    # The session first: it is at hand, and whoever gave a second factor lately has one, or took it off since.
    given = second_factor_given(
        get_authentication_records(request, user), now=time.time(), seconds=STAFF_SECONDS
    )
    if not has_second_factor(user):
        return StaffAnswer.SET_UP
    return StaffAnswer.YES if given else StaffAnswer.GIVE


def note_set_up(*, request: HttpRequest, user: User, authenticator: Authenticator, **more: object) -> None:
    """Whoever has just set a factor up has shown it: do not ask for it once more. Listens to allauth's signal."""
    if authenticator.type in _FACTORS:
        record_authentication(request, user, "mfa", id=authenticator.pk, type=authenticator.type)
