"""Owns the settings mistakes that would only show while an instance stops or is under load."""

from collections.abc import Sequence
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from apps.lifecycle.rules import STALE_PERIODS, drain_outlasts_detection

# Beyond this a failure shows too late to be worth a probe every second.
_LONGEST_INTERVAL_SECONDS = 5.0


@register("spillway")
def check_drain(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """spillway.E001: proxies must notice a drain before the instance stops."""
    if drain_outlasts_detection(
        drain_seconds=settings.DRAIN_SECONDS, proxy_check_seconds=settings.PROXY_CHECK_SECONDS
    ):
        return []
    needed = 2 * settings.PROXY_CHECK_SECONDS + 1
    return [
        Error(
            f"DRAIN_SECONDS={settings.DRAIN_SECONDS:g} is too short for a proxy that looks every "
            f"PROXY_CHECK_SECONDS={settings.PROXY_CHECK_SECONDS:g}: requests would reach a stopped instance.",
            hint=f"Set DRAIN_SECONDS to at least {needed:g}.",
            id="spillway.E001",
        )
    ]


@register("spillway")
def check_pool(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """spillway.W002: with fewer connections than threads requests queue although threads are free."""
    if settings.DB_POOL_MAX >= settings.WEB_THREADS:
        return []
    return [
        Warning(
            f"DB_POOL_MAX={settings.DB_POOL_MAX} is smaller than WEB_THREADS={settings.WEB_THREADS}: under "
            "load requests wait for a connection, and the instance calls itself unready.",
            hint="Set DB_POOL_MAX to WEB_THREADS plus two, or leave it out.",
            id="spillway.W002",
        )
    ]


@register("spillway")
def check_health_interval(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """spillway.E003: an instance that looks too rarely gets requests long after it has lost its database."""
    if settings.HEALTH_INTERVAL_SECONDS <= _LONGEST_INTERVAL_SECONDS:
        return []
    return [
        Error(
            f"HEALTH_INTERVAL_SECONDS={settings.HEALTH_INTERVAL_SECONDS:g} is too long: a lost database "
            f"would show after up to {STALE_PERIODS * settings.HEALTH_INTERVAL_SECONDS:g} s.",
            hint=f"Set it to {_LONGEST_INTERVAL_SECONDS:g} or less; 2 is usual.",
            id="spillway.E003",
        )
    ]
