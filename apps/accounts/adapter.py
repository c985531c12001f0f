"""Owns where allauth asks us: who may sign up, whose address counts, how often an account may be tried."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest

from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """allauth with our settings and our throttles.

    Its own rate limits are off: they are a read and a write of the cache, so two instances can both take
    the last try, and without Redis they refuse every sign-in.
    """

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether strangers may make an account."""
        return bool(settings.SIGN_UP)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that throttles count by."""
        return client_address(request)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count a password try against the account it is for, so that many addresses together gain nothing.

        Raises TooManyRequestsError. Names that belong to nobody are counted alike: the answer tells nothing.
        """
        name = credentials.get("email") or credentials.get("username") or ""
        throttle_hit(scope="sign_in_name", key=str(name).casefold())
