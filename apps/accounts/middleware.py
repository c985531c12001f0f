"""Owns what the account pages and the operators' pages need on every request: a throttle, a wider CSP."""

from collections.abc import Callable
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from apps.common.errors import TooManyRequestsError
from apps.common.responses import error_response
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


OPERATOR_PATHS = ("/admin/", "/health/")
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
            response._csp_config = OPERATOR_POLICY  # type: ignore[attr-defined]
        return response
