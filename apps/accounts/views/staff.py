"""Owns the page that staff are led to who have not given a second factor: why, and how."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.accounts.models import User
from apps.accounts.second_factor import StaffAnswer, staff_answer


@require_safe
@never_cache
@login_required
def staff_factor(request: HttpRequest) -> HttpResponse:
    """Those who have a factor are asked for it; the others are told how to set one up; who needs none goes on."""
    user = request.user
    assert isinstance(user, User)
    wanted = request.GET.get("next", "")
    onward = wanted if url_has_allowed_host_and_scheme(wanted, None) else reverse("account_home")
    answer = staff_answer(request, user) if user.is_staff else StaffAnswer.YES
    if answer is StaffAnswer.YES:
        return HttpResponseRedirect(onward)
    if answer is StaffAnswer.GIVE:
        return HttpResponseRedirect(f"{reverse('mfa_reauthenticate')}?{urlencode({'next': onward})}")
    return render(request, "account/staff_factor.html", {"next": onward})
