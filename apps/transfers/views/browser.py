"""Owns the cookie by which a browser without an account is known to have sent a transfer. It opens nothing else.

The browser's random id never leaves the cookie in the clear of a page or a log; the database has its digest only.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.accounts.models import User
from apps.transfers.models import new_token

COOKIE_NAME = "spillway_sender"
COOKIE_SECONDS = 400 * 86_400  # as long as browsers keep any cookie
_SALT = "apps.transfers.browser"


def browser_of(request: HttpRequest) -> str:
    """The id of this browser, empty when it has none or somebody made it up."""
    return str(request.get_signed_cookie(COOKIE_NAME, default="", salt=_SALT))


def sending_browser(request: HttpRequest) -> str:
    """What to hand to `transfer_create(browser=...)`, and then to `keep_browser`.

    Empty for those who are signed in, whose account owns what they send, and for programs: they hold no cookie at all.
    """
    if isinstance(request.user, User) or not request.COOKIES:
        return ""
    return browser_of(request) or new_token()


def keep_browser(response: HttpResponse, browser: str) -> None:
    """Let the browser keep its id for as long as it may; does nothing when `browser` is empty."""
    if browser:
        response.set_signed_cookie(
            COOKIE_NAME,
            browser,
            salt=_SALT,
            max_age=COOKIE_SECONDS,
            secure=settings.SECURE,
            httponly=True,
            samesite="Lax",
        )
