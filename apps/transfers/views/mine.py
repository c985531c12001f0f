"""Owns the lists "My transfers" and "Received", and taking over what this browser sent. Changes are in control."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.models import User
from apps.common.errors import SignInRequiredError, SpillwayError
from apps.transfers.claiming import transfers_claim
from apps.transfers.models import Transfer, TransferQuerySet
from apps.transfers.rules import LinkState
from apps.transfers.views.access import private
from apps.transfers.views.browser import browser_of
from apps.transfers.views.paging import page_of
from apps.transfers.views.rows import rows_of

QUERY_MAX_CHARACTERS = 100
FILTERS = (LinkState.OPEN, LinkState.CLOSED, LinkState.EXPIRED)


@require_safe
@ensure_csrf_cookie
@private
def mine(request: HttpRequest) -> HttpResponse:
    """What whoever is signed in has sent; else what was sent from this browser."""
    browser, user = browser_of(request), signed_in(request)
    if user is not None:
        found = Transfer.objects.sent_by(user.pk)
    elif browser:
        found = Transfer.objects.of_browser(browser).told()
    else:
        found = Transfer.objects.none()
    claimable = Transfer.objects.of_browser(browser).told().count() if user and browser else 0
    return _list(request, found, {"tab": "mine", "claimable": claimable, "known": bool(user or browser)})


@require_safe
@ensure_csrf_cookie
@private
def received(request: HttpRequest) -> HttpResponse:
    """What others have sent through the requests of whoever is signed in."""
    user = signed_in(request)
    if user is None:
        return to_sign_in(request)
    found = Transfer.objects.received_by(user.pk).select_related("request")
    return _list(request, found, {"tab": "received", "claimable": 0, "known": True})


def signed_in(request: HttpRequest) -> User | None:
    """The account, if anybody is signed in."""
    return request.user if isinstance(request.user, User) else None


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """The way to the sign-in page, and back here from there."""
    return HttpResponseRedirect(f"{reverse('account_login')}?next={request.path}")


def _list(request: HttpRequest, found: TransferQuerySet, context: dict[str, Any]) -> HttpResponse:
    query = request.GET.get("q", "").replace("\0", "").strip()[:QUERY_MAX_CHARACTERS]
    state = request.GET.get("state", "")
    if query:
        found = found.filter(title__icontains=query)
    if state in FILTERS:
        found = found.shown_as(LinkState(state), timezone.now())
    page = page_of(request, found)
    context |= {
        "rows": rows_of(request, page.rows),
        "page": page,
        "q": query,
        "state": state if state in FILTERS else "",
        "here": request.get_full_path(),
    }
    name = "_mine_rows" if "HX-Request" in request.headers else "mine"
    return render(request, f"transfers/{name}.html", context)


@require_POST
@private
def claim(request: HttpRequest) -> HttpResponse:
    """Take what this browser sent into the account, and go back to the list."""
    user = signed_in(request)
    if user is None:
        raise SignInRequiredError
    try:
        taken = transfers_claim(user=user, browser=browser_of(request)) if browser_of(request) else 0
    except SpillwayError as refusal:
        messages.error(request, f"{refusal.text} {refusal.what_to_do}")
    else:
        said = ngettext(
            "%(taken)s transfer is in your account now.",
            "%(taken)s transfers are in your account now.",
            taken,
        )
        messages.success(request, said % {"taken": taken} if taken else _("There was nothing to take over."))
    return HttpResponseRedirect(reverse("transfers:mine"), status=303)
