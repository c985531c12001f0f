"""Owns what Traefik's API says of a service's servers. Pure."""

import json


def servers_up(body: bytes) -> set[str]:
    """The URLs of the servers that this proxy sends to, from the answer to /api/http/services/<name>."""
    try:
        told = json.loads(body)
        status = told.get("serverStatus") or {}
        listed = {server["url"] for server in (told.get("loadBalancer") or {}).get("servers") or ()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return set()
    return {url for url in listed if status.get(url, "UP") == "UP"}
