"""Owns the two places where events are counted: Redis, shared by all instances, and this process's memory.

Each is made on first use and once per process: a connection or a lock made before a fork breaks the workers.
"""

import hashlib
import os
import threading
import time
from functools import cache

from django.conf import settings
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.common.redis_clients import redis_client

_SOCKET_TIMEOUT_SECONDS = 0.3
# After a failure Redis is left alone for this long, so that a Redis that hangs does not cost every request
# a timeout.
REST_SECONDS = 1.0


@cache
def secret() -> bytes:
    """The key that event keys are hashed with: the same on all instances."""
    return hashlib.sha256(b"throttle" + settings.SECRET_KEY.encode()).digest()


def digest(key: str) -> str:
    """What is stored of a key. Keyed, because an address alone could be found by trying all of them."""
    return hashlib.blake2b(key.encode(errors="replace"), key=secret(), digest_size=16).hexdigest()


class SharedStorage(RedisStorage):
    """The library's storage, over a client that knows Sentinels and clusters."""

    def __init__(self) -> None:
        super().__init__("redis://", key_prefix="spillway:throttle")  # where it is, is said below

    def initialize_storage(self, _uri: str) -> None:
        """Called by the library before anything is asked of Redis."""
        self.storage = redis_client(
            settings.CACHE_URL,
            socket_timeout=_SOCKET_TIMEOUT_SECONDS,
            socket_connect_timeout=_SOCKET_TIMEOUT_SECONDS,
            # One retry, at once: a pooled connection may be left over from before a restart of Redis. The
            # library's own ten retries with pauses would hold the request for seconds.
            retry=Retry(NoBackoff(), 1),
        )
        super().initialize_storage(_uri)


class Counters:
    """The moving-window counters of one process.

    The moving window keeps one timestamp per admitted event and decides in one Lua script, so a limit holds
    exactly over all instances, at any moment and not only per calendar minute.
    """

    def __init__(self) -> None:
        self._rests_until = 0.0
        self.shared = MovingWindowRateLimiter(SharedStorage())
        # State of this process on purpose: while Redis is away there is nowhere else to count, and a limit
        # per process is a far better answer to somebody guessing passwords than none. Nothing reads it once
        # Redis is back, and losing it loses no request.
        self.own = MovingWindowRateLimiter(MemoryStorage())

    @property
    def rests(self) -> bool:
        """Whether Redis failed a moment ago and is not to be asked."""
        return time.monotonic() < self._rests_until

    def rest(self) -> None:
        """Leave Redis alone for a moment."""
        self._rests_until = time.monotonic() + REST_SECONDS


_lock = threading.Lock()
_counters: Counters | None = None


def counters() -> Counters:
    """This process's counters, made on first use."""
    global _counters
    with _lock:
        if _counters is None:
            _counters = Counters()
        return _counters


def forget() -> None:
    """Drop the counters, so that the next use makes new ones."""
    global _counters, _lock
    _lock = threading.Lock()
    _counters = None


# A child must neither share the parent's sockets nor find the lock held by a thread that it does not have.
os.register_at_fork(after_in_child=forget)
