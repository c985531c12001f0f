"""Owns how often the site writes to others for somebody: counted per account, else per client address."""

from collections.abc import Sized

from django.http import HttpRequest

from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit


def mails_count(request: HttpRequest, addresses: Sized) -> None:
    """Count so many mails before they are promised. Raises TooManyRequestsError."""
    key = f"account {request.user.pk}" if request.user.is_authenticated else client_address(request)
    for _ in range(len(addresses)):
        throttle_hit(scope="mail", key=key)
