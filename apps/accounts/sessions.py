"""Owns how sessions are kept: PostgreSQL is the truth, Redis holds short copies. Knows nothing of people."""

import re
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends import cached_db
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache

# A sign-out that Redis did not hear of (it was away, the row is gone) must not come back to life with
# Redis. For so long it could; and so often each live session is read from PostgreSQL.
COPY_SECONDS = 60
# What Django makes: get_random_string(32, VALID_KEY_CHARS).
_KEY = re.compile(r"[a-z0-9]{32}")


class _ShortCopies:
    """A cache in which nothing lives for longer than COPY_SECONDS."""

    def __init__(self, cache: BaseCache) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def __contains__(self, key: str) -> bool:
        return key in self._cache

    def set(self, key: str, value: Any, timeout: float) -> None:
        self._cache.set(key, value, min(timeout, COPY_SECONDS))


class SessionStore(cached_db.SessionStore):
    """Django's cached_db with short copies.

    Written to PostgreSQL first and then to Redis. With IGNORE_EXCEPTIONS a Redis that cannot be reached
    makes every read a miss and every copy a no-op: sessions go on from PostgreSQL.
    """

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._cache: Any = _ShortCopies(caches[settings.SESSION_CACHE_ALIAS])

    def _validate_session_key(self, key: str | None) -> bool:
        """Whether a cookie can be a key of ours. What cannot, a NUL for one, must not reach the database."""
        return bool(key and _KEY.fullmatch(key))
