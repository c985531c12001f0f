"""Owns the settings mistakes about uploads that would only show while somebody sends."""

from collections.abc import Sequence
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register


@register("spillway")
def check_lease(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """spillway.W011: whoever waits for a dead holder's lease should be there when it runs out."""
    if settings.LEASE_SECONDS < settings.LEASE_WAIT_SECONDS:
        return []
    return [
        Warning(
            f"LEASE_SECONDS={settings.LEASE_SECONDS:g} is not shorter than "
            f"LEASE_WAIT_SECONDS={settings.LEASE_WAIT_SECONDS:g}: when an instance dies, those who want to go on with "
            "its uploads are told that they are locked.",
            hint="Leave both out, or make the lease shorter.",
            id="spillway.W011",
        )
    ]


@register("spillway")
def check_limits(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """spillway.W012: a limit that is smaller than one that lies inside it is never reached by the inner one."""
    outer = ("MAX_TRANSFER_BYTES", "MAX_ACCOUNT_BYTES", "MAX_ADDRESS_BYTES")
    return [
        Warning(
            f"{name}={getattr(settings, name)} is smaller than MAX_FILE_BYTES={settings.MAX_FILE_BYTES}: files that "
            "the site says it takes would be refused.",
            hint=f"Set MAX_FILE_BYTES to at most {name}.",
            id="spillway.W012",
        )
        for name in outer
        if 0 < getattr(settings, name) < settings.MAX_FILE_BYTES
    ]
