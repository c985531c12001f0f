"""Owns what account pages and operators' pages need on every request: a throttle, a wider CSP, a second factor."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from apps.accounts.errors import SecondFactorRequiredError
from apps.accounts.models import User
from apps.accounts.second_factor import StaffAnswer, staff_answer
from apps.accounts.sign_outs import session_note
from apps.common.errors import DATABASE_ERRORS, TooManyRequestsError
from apps.common.refusals import refused
from apps.common.responses import error_response, wants_json
from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit

Handler = Callable[[HttpRequest], HttpResponseBase]


class SignInThrottleMiddleware:
    """Counts what is sent to the account pages per client address: passwords, codes, sign-ups, mail requests.

    All but signing out, which must always work. The admin has no sign-in of its own (apps.accounts.admin).
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Nothing to do before the address is resolved."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, args: Any, kwargs: Any) -> HttpResponse | None:
        """Refuse before the view runs: hashing a password is the expensive part of a try."""
        if not _is_try(request):
            return None
        try:
            throttle_hit(scope="sign_in", key=client_address(request))
        except TooManyRequestsError as refusal:
            # Not raised: Django shows middleware only what a view raised.
            return error_response(request, refusal)
        return None


def _is_try(request: HttpRequest) -> bool:
    name = (request.resolver_match and request.resolver_match.url_name) or ""
    return request.method == "POST" and name.startswith(("account_", "mfa_")) and name != "account_logout"


OPERATOR_PATHS = ("/admin/",)
# The admin's Alpine compiles attributes into functions and sets style attributes. It needs no inline
# script, so a file name that holds one still runs nothing.
OPERATOR_POLICY = {
    "default-src": [SELF],
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
    "object-src": [NONE],
    "base-uri": [NONE],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
}


class OperatorPolicyMiddleware:
    """Gives the operators' pages, and no others, the content security policy that they need."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Leave a note that CSPMiddleware, which stands further out, reads."""
        response = self.get_response(request)
        if request.path_info.startswith(OPERATOR_PATHS):
            response._csp_config = OPERATOR_POLICY  # type: ignore[attr-defined]  # django-csp reads it there
        return response


# Where staff powers are: the health page is one, though it needs no wider policy.
STAFF_PATHS = ("/admin/", "/health/")


class StaffSecondFactorMiddleware:
    """Lets staff into the operators' pages once they have given a second factor lately, and leads them there.

    Rights are looked at by those pages themselves: this one only ever takes away.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Nothing to do before the address is resolved."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, args: Any, kwargs: Any) -> HttpResponse | None:
        """A page to look at leads to the way in; anything else is refused."""
        if not request.path_info.startswith(STAFF_PATHS) or not settings.STAFF_SECOND_FACTOR:
            return None
        user = request.user
        if not isinstance(user, User) or not user.is_staff:
            return None
        answer = staff_answer(request, user)
        if answer is StaffAnswer.YES:
            return None
        if request.method not in ("GET", "HEAD") or "HX-Request" in request.headers or wants_json(request):
            return refused(request, SecondFactorRequiredError())
        back = urlencode({"next": request.get_full_path()})
        return HttpResponseRedirect(f"{reverse('staff_factor')}?{back}")


SEEN_SECONDS = 300


class LastSeenMiddleware:
    """Remembers when each session was used last, once in SEEN_SECONDS: one question to Redis, and seldom a write.

    Only of requests that asked who is there anyway: probes, static pages and uploads cost nothing.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """After the page: whoever signed out has no session any more."""
        response = self.get_response(request)
        known = getattr(request, "_cached_user", None)
        if response.status_code < 500 and isinstance(known, User):
            # The page is there already: a database that goes away now must not take it back.
            with suppress(*DATABASE_ERRORS):
                self._note(request)
        return response

    def _note(self, request: HttpRequest) -> None:
        key = request.session.session_key
        # A Redis that is away says no: the list is then older, and nothing else.
        if request.user.is_authenticated and key and cache.add(f"seen:{key}", 1, SEEN_SECONDS):
            session_note(request=request)
