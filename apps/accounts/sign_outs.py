"""Owns the use cases of sessions that somebody ends: one, or all but the one at hand. Knows how they are told apart."""

from allauth.usersessions.models import UserSession
from django.contrib.auth import update_session_auth_hash
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.models import User


def session_note(*, request: HttpRequest) -> None:
    """Remember when and from where a session was last used; one from before it was kept track of gets its row."""
    UserSession.objects.create_from_request(request)


def session_end(*, user: User, session_id: int) -> bool:
    """Sign one of somebody's own sessions out; False if there is none like it.

    Its row goes, then its copy in Redis. A copy that Redis could not be told of, or that a request in flight has made
    again, lives for COPY_SECONDS (apps.accounts.sessions).
    """
    session = UserSession.objects.filter(pk=session_id, user=user).first()
    if session is None:
        return False
    session.end()
    return True


def sessions_end_others(*, request: HttpRequest, user: User) -> None:
    """Sign out everywhere but here, at once: the epoch that every session must name is read with each request.

    So it holds for sessions that nobody has listed and for copies that Redis still has.
    """
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    user.refresh_from_db(fields=["session_epoch"])
    _end_listed(user, but=request.session.session_key)
    # After the others are gone: it gives this session another key.
    before = request.session.session_key
    update_session_auth_hash(request, user)
    request.session.save()
    UserSession.objects.filter(session_key=before).update(
        session_key=request.session.session_key, last_seen_at=timezone.now()
    )


def _end_listed(user: User, *, but: str | None) -> None:
    for session in UserSession.objects.filter(user=user).exclude(session_key=but or ""):
        session.end()
