"""Owns the page where somebody makes and revokes API tokens. A token's secret is in one answer, once."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.forms import TokenForm
from apps.accounts.models import ApiToken, User
from apps.accounts.tokens import api_token_create, api_token_revoke
from apps.common.errors import NotFoundError

# Revoked and expired ones are shown as long as somebody may wonder why a program stopped.
SHOWN_MAX = 100


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@reauthentication_required  # type: ignore[untyped-decorator]  # allauth has no types
def api_tokens(request: HttpRequest) -> HttpResponse:
    """The list, and the form for a new one. Whoever finds an open browser is asked for the password first: a token
    outlives the session. Raises TooManyTokensError.
    """
    user = request.user
    assert isinstance(user, User)
    form = TokenForm(request.POST if request.method == "POST" else None)
    made, secret = None, ""
    if form.is_bound and form.is_valid():
        made, secret = api_token_create(user=user, **form.cleaned_data)
        form = TokenForm()
    now = timezone.now()
    context = {
        "form": form,
        "made": made,
        "secret": secret,
        "tokens": ApiToken.objects.filter(user=user).live(now)[:SHOWN_MAX],
        "ended": ApiToken.objects.filter(user=user).ended(now)[:SHOWN_MAX],
    }
    return render(request, "account/tokens.html", context)


@require_POST
@login_required
def revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    """Take a token back. Asks for no password: it must be quick. Raises NotFoundError for what is not this person's."""
    user = request.user
    assert isinstance(user, User)
    if not api_token_revoke(user=user, token_id=token_id):
        raise NotFoundError
    messages.success(request, _("The token is revoked: programs that use it are refused from now on."))
    return HttpResponseRedirect(reverse("api_tokens"))
