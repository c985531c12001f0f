"""Owns the pure decisions about throttles: whose request it is, how long a refused client waits. No I/O."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

# A provider hands every customer at least this much; counting single IPv6 addresses would limit nobody (RFC
# 6177).
IPV6_PREFIX_BITS = 64
UNKNOWN_ADDRESS = "unknown"


def forwarded_entries(header: str, places: int) -> Sequence[str]:
    """The last `places` entries of an X-Forwarded-For header, oldest first; the rest is never looked at."""
    entries = header.rsplit(",", places) if header.strip() else []
    return [entry.strip() for entry in entries[-places:]] if places else []


def client_network(*, forwarded_for: str, peer: str, trusted_hops: int) -> str:
    """The address that throttles count by: IPv4 whole, IPv6 cut to its /64 network, always canonical.

    Every trusted proxy appends the address it was asked from, so the entry `trusted_hops` places from the
    right was written by the outermost of them and everything left of it is whatever the client made up. A
    header with fewer entries did not come through all of them: its leftmost entry may be the client's own
    words, so `peer` (the address of the connection, which cannot be made up) counts instead. So it does
    when the entry is no address.
    """
    entries = forwarded_entries(forwarded_for, trusted_hops)
    named = _network(entries[0]) if entries and len(entries) == trusted_hops else None
    return named or _network(peer) or UNKNOWN_ADDRESS


def _network(text: str) -> str | None:
    try:
        address = ip_address(_without_port(text))
    except ValueError:
        return None
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    # Without its scope (`%eth0`), which is a name on some machine and not part of the address.
    return str(ip_network((int(address), IPV6_PREFIX_BITS), strict=False).network_address)


def _without_port(text: str) -> str:
    """`1.2.3.4:567` and `[2001:db8::1]:567` without port and brackets; some proxies write them."""
    text = text.strip()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def retry_after_seconds(*, reset_at: float, now: float, window_seconds: int) -> int:
    """Whole seconds after which one more is admitted, within [1, window].

    `reset_at` is when the oldest counted event leaves the window; at that very moment it still counts,
    hence the second on top instead of rounding up.
    """
    return min(max(1, int(reset_at - now) + 1), window_seconds)
