"""Owns the list of somebody's sessions, and signing out of one or of all others."""

from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.models import User
from apps.accounts.rules import browser_name, masked_address
from apps.accounts.sign_outs import session_end, sessions_end_others
from apps.common.errors import NotFoundError

SHOWN_MAX = 100  # of one account, the latest used first


@require_safe
@never_cache
@login_required
def sessions(request: HttpRequest) -> HttpResponse:
    """Where somebody is signed in. Nobody's whole address is shown."""
    found = UserSession.objects.filter(user=request.user).order_by("-last_seen_at", "-pk")[:SHOWN_MAX]
    rows = [_row(session, request.session.session_key) for session in found if not session.purge()]
    rows.sort(key=lambda row: not row["current"])
    return render(request, "usersessions/usersession_list.html", {"sessions": rows})


def _row(session: UserSession, current_key: str | None) -> dict[str, Any]:
    return {
        "id": session.pk,
        "browser": browser_name(session.user_agent) or _("Unknown browser"),
        "address": masked_address(session.ip),
        "created_at": session.created_at,
        "last_seen_at": session.last_seen_at,
        "current": session.session_key == current_key,
    }


@require_POST
@login_required
def end(request: HttpRequest, session_id: int) -> HttpResponse:
    """Sign one session out. Raises NotFoundError for what is not this person's."""
    user = request.user
    assert isinstance(user, User)
    if not session_end(user=user, session_id=session_id):
        raise NotFoundError
    messages.success(request, _("That session is signed out."))
    return HttpResponseRedirect(reverse("sessions"))


@require_POST
@login_required
def end_others(request: HttpRequest) -> HttpResponse:
    """Sign out everywhere but here."""
    user = request.user
    assert isinstance(user, User)
    sessions_end_others(request=request, user=user)
    messages.success(request, _("You are signed out everywhere else."))
    return HttpResponseRedirect(reverse("sessions"))
