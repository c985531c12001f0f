"""Owns how a path becomes an address that a program can follow. Pages use paths and need none of this."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def absolute(request: HttpRequest, path: str) -> str:
    """The address of a path on this site, under the host that was asked for.

    Whoever came by PUBLIC_URL's host gets its scheme: behind a proxy that ends TLS the request itself may say
    http. Any other name of this machine (127.0.0.1, say) stays, or the link would lead to another site.
    """
    public = urlsplit(settings.PUBLIC_URL)
    port = _DEFAULT_PORTS[public.scheme]
    if request.get_host().lower().removesuffix(port) == public.netloc.lower().removesuffix(port):
        return f"{settings.PUBLIC_URL}{path}"
    return request.build_absolute_uri(path)
