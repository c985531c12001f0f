"""Owns how much somebody may have here and how much of it is used. An app above counts (settings.ROOM_USED)."""

from collections.abc import Callable

from django.conf import settings
from django.utils.module_loading import import_string

from apps.accounts.models import User
from apps.accounts.rules import Gauge


def account_gauge(user: User) -> Gauge:
    """How much of their quota somebody uses now. One query."""
    used: Callable[[int], int] = import_string(settings.ROOM_USED)
    return Gauge(used_bytes=used(user.pk), max_bytes=quota_bytes(user))


def quota_bytes(user: User) -> int:
    """Most bytes that somebody may have here; 0: no limit."""
    return int(settings.MAX_ACCOUNT_BYTES if user.quota_bytes is None else user.quota_bytes)
