"""Owns the address of an invitation: it is kept in the session and leads to the page where accounts are made."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.accounts.adapter import INVITATION_KEY
from apps.accounts.errors import InvitationUsedError
from apps.accounts.inviting import invitation_open
from apps.accounts.rules import SignUp
from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit


@require_safe
@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Keep the invitation, and go where an account is made. Raises InvitationUsedError and TooManyRequestsError.

    Opening it uses nothing up: mail scanners open every link.
    """
    if request.user.is_authenticated:
        return HttpResponseRedirect(reverse("account_home"))
    if settings.SIGN_UP == SignUp.CLOSED:
        return render(request, "account/signup_closed.html")
    try:
        found = invitation_open(token=token)
    except InvitationUsedError:
        throttle_hit(scope="sign_in", key=client_address(request))
        raise
    request.session[INVITATION_KEY] = found.pk
    query = f"?{urlencode({'email': found.email})}" if found.email else ""
    # The page it leads to is without the token, so neither history nor Referer has it.
    return HttpResponseRedirect(f"{reverse('account_signup')}{query}")
