"""Owns what the operator says about proxies in front of ours: PUBLIC_URL, TRUSTED_PROXIES, TRUSTED_PROXY_IPS.

Ours is the first trusted proxy. With a second one before it, its addresses must be known: only what it says about the
client and about TLS is believed.
"""

import ipaddress
import os
from urllib.parse import urlsplit

from deploy.fleet.errors import UsageError

_LOOPBACK = ("127.0.0.1/32", "::1/128")
_PROXIES_MAX = 10


def check() -> None:
    """Raises UsageError that names the variable."""
    trusted_networks()
    public_host()


def trusted_proxies() -> int:
    text = os.environ.get("TRUSTED_PROXIES") or "1"
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _PROXIES_MAX:
        raise UsageError(
            f"TRUSTED_PROXIES must be a whole number from 1 (ours alone) to {_PROXIES_MAX}, not {text!r}."
        )
    return int(text)


def trusted_networks() -> tuple[str, ...]:
    """CIDRs of the proxies before ours; this machine unless said otherwise, nobody if there are none."""
    if trusted_proxies() == 1:
        return ()
    given = os.environ.get("TRUSTED_PROXY_IPS", "").replace(",", " ").split()
    try:
        return tuple(str(ipaddress.ip_network(network, strict=False)) for network in given) or _LOOPBACK
    except ValueError as error:
        raise UsageError(f"TRUSTED_PROXY_IPS must be a list of addresses or networks: {error}.") from None


def public_host() -> str | None:
    """The host of PUBLIC_URL, as it stands in a Host header; None if none was given."""
    given = os.environ.get("PUBLIC_URL")
    if not given:
        return None
    try:
        host = urlsplit(given).hostname
    except ValueError:
        host = None
    if not host:
        raise UsageError(f"PUBLIC_URL must be an address such as https://send.example.org, not {given!r}.")
    return f"[{host}]" if ":" in host else host
