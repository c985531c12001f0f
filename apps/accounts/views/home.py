"""Owns the account page: who somebody is here, how much they have, and where the rest is set."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts.forms import NameForm
from apps.accounts.models import ApiToken, User
from apps.accounts.quota import account_gauge


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def account_home(request: HttpRequest) -> HttpResponse:
    """The page; POST changes the name that recipients see."""
    user = request.user
    assert isinstance(user, User)
    form = NameForm(request.POST if request.method == "POST" else None, instance=user)
    if form.is_bound and form.is_valid():
        form.save()
        messages.success(request, _("Your name is changed."))
        return HttpResponseRedirect(reverse("account_home"))
    return render(request, "account/home.html", {"form": form, "gauge": account_gauge(user), **_facts(user)})


def _facts(user: User) -> dict[str, Any]:
    types = list(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    return {
        "address": EmailAddress.objects.filter(user=user, primary=True).first(),
        "app_set_up": Authenticator.Type.TOTP in types,
        "keys": types.count(Authenticator.Type.WEBAUTHN),
        "session_count": UserSession.objects.filter(user=user).count(),
        "token_count": ApiToken.objects.filter(user=user).live(timezone.now()).count(),
    }
