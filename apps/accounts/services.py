"""Owns the use cases about people: who may send, the first administrator, sessions that ended."""

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AnonymousUser

from apps.accounts.models import User
from apps.accounts.rules import SendAnswer, SendPolicy, may_send
from apps.accounts.sessions import SessionStore
from apps.common.errors import ForbiddenError, SignInRequiredError


def sender_check(*, user: User | AnonymousUser) -> None:
    """Let those pass who may send under settings.SEND_POLICY.

    Raises SignInRequiredError (401) for a stranger whom signing in may help, ForbiddenError (403) for the
    others.
    """
    answer = may_send(
        SendPolicy(settings.SEND_POLICY),
        signed_in=user.is_authenticated and user.is_active,
        staff=user.is_staff,
    )
    if answer is SendAnswer.SIGN_IN_FIRST:
        raise SignInRequiredError("Only people who are signed in may send files here.")
    if answer is SendAnswer.NO:
        raise ForbiddenError("Your account may not send files here.")


def admin_ensure(*, username: str, password: str) -> bool:
    """Make the superuser `username` unless somebody has that name; True when it was made.

    Whoever is there is left as they are, password and rights included. Two processes that do this at once
    make one account: the unique constraint decides, and get_or_create reads the winner's.
    """
    _, made = User.objects.get_or_create(
        username=User.normalize_username(username),
        defaults={"password": make_password(password), "is_staff": True, "is_superuser": True},
    )
    return made


def sessions_clear() -> None:
    """Remove sessions that have expired, in one DELETE. Several at once do no harm."""
    SessionStore.clear_expired()
