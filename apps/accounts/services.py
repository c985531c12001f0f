"""Owns the use cases about people: who may send, the first administrator, sessions that ended."""

from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.accounts.rules import SendAnswer, SendPolicy, may_send
from apps.accounts.sessions import SessionStore
from apps.common.errors import ForbiddenError, SignInRequiredError
from apps.throttling.blocking import block_check


def sender_check(*, user: User | AnonymousUser, address: str = "") -> None:
    """Let those pass who may send under settings.SEND_POLICY and are not blocked; `address` is the client's.

    Raises SignInRequiredError (401) for a stranger whom signing in may help, ForbiddenError (403) for the
    others, SenderBlockedError (403) for those whom staff has blocked.
    """
    block_check(account_id=user.pk, address=address)
    answer = may_send(
        SendPolicy(settings.SEND_POLICY),
        signed_in=user.is_authenticated and user.is_active,
        staff=user.is_staff,
    )
    if answer is SendAnswer.SIGN_IN_FIRST:
        raise SignInRequiredError(_("Only people who are signed in may send files here."))
    if answer is SendAnswer.NO:
        raise ForbiddenError(_("Your account may not send files here."))


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


# A session is written before it is listed; this is for a transaction that takes its time.
_LISTED_FOR = timedelta(hours=1)


def sessions_clear() -> None:
    """Remove sessions that have expired, and what lists say of those that are gone. Several at once do no harm."""
    SessionStore.clear_expired()
    there = Session.objects.filter(session_key=OuterRef("session_key"))
    UserSession.objects.filter(~Exists(there), last_seen_at__lt=timezone.now() - _LISTED_FOR).delete()
