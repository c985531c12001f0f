"""Owns how a request's client address is found. Reads headers and settings only; the decision is in rules."""

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from apps.throttling.rules import client_network


def client_address(request: HttpRequest) -> str:
    """Who asks, as an address to throttle and log by; an IPv6 client is its /64 network.

    The same for the proxy's question about a download: its internal entry point adds no entry of its own.
    """
    return client_network(
        forwarded_for=request.META.get("HTTP_X_FORWARDED_FOR", ""),
        peer=request.META.get("REMOTE_ADDR", ""),
        trusted_hops=settings.TRUSTED_PROXIES,
    )


def address_digest(address: str) -> str:
    """What is stored of a client address: the same one again can be told, which one it was cannot."""
    return salted_hmac("apps.uploads.room", address, algorithm="sha256").hexdigest()
