"""Owns the one use case: count events, refuse them when there were too many. Knows no view and no client."""

import time

import structlog
from django.conf import settings
from limits import RateLimitItem, parse
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

from apps.common.errors import TooManyRequestsError
from apps.throttling.counters import Counters, counters, digest
from apps.throttling.metrics import THROTTLED, UNCOUNTED
from apps.throttling.refused import refusal_note
from apps.throttling.rules import retry_after_seconds

# Scopes in which every admitted event is a guess at a secret: these never stand open.
GUARDED_SCOPES = frozenset({"password", "sign_in", "sign_in_name", "api_token"})

logger = structlog.get_logger(__name__)


def throttle_hit(*, scope: str, key: str) -> None:
    """Count one event of `key` (an address, an address and a token) in a scope of settings.THROTTLES.

    Raises TooManyRequestsError with Retry-After in whole seconds when the scope's limit is reached; a
    refused event is not counted. While Redis cannot be reached, guarded scopes are limited per process and
    the others are open: a lost Redis must not close the site.
    """
    _admit(scope, key, counts=True)


def throttle_check(*, scope: str, key: str) -> None:
    """Raise what throttle_hit would raise now, and count nothing."""
    _admit(scope, key, counts=False)


def throttle_forget(*, scope: str, key: str) -> None:
    """Start a key's count anew, after a try that turned out right. Does nothing while Redis cannot be reached."""
    item, here = parse(settings.THROTTLES[scope]), counters()
    here.own.clear(item, scope, digest(key))
    if here.rests:
        return
    try:
        here.shared.clear(item, scope, digest(key))
    except RedisError as error:
        _note_failure(here, error)


def _admit(scope: str, key: str, *, counts: bool) -> None:
    # Namespaced by scope: the same address in two scopes is counted twice.
    item = parse(settings.THROTTLES[scope])
    limiter = _limiter(scope, item, digest(key), counts=counts)
    if limiter is None:
        return
    THROTTLED.labels(scope).inc()
    _remember(scope, key)
    raise TooManyRequestsError(headers={"Retry-After": str(_wait_seconds(limiter, item, scope, digest(key)))})


def _remember(scope: str, key: str) -> None:
    here = counters()
    if here.rests:
        return
    try:
        refusal_note(scope=scope, key=key)
    except RedisError as error:
        _note_failure(here, error)


def _limiter(scope: str, item: RateLimitItem, key: str, *, counts: bool) -> MovingWindowRateLimiter | None:
    """The limiter that refuses the event, or None when it is admitted."""
    here = counters()
    ask = MovingWindowRateLimiter.hit if counts else MovingWindowRateLimiter.test
    if not here.rests:
        try:
            return None if ask(here.shared, item, scope, key) else here.shared
        except RedisError as error:
            _note_failure(here, error)
    if counts:
        UNCOUNTED.labels(scope).inc()
    if scope not in GUARDED_SCOPES or ask(here.own, item, scope, key):
        return None
    return here.own


def _note_failure(here: Counters, error: RedisError) -> None:
    # Once per rest, not once per request.
    here.rest()
    logger.warning("throttle_redis_unavailable", detail=type(error).__name__)


def _wait_seconds(limiter: MovingWindowRateLimiter, item: RateLimitItem, scope: str, key: str) -> int:
    window_seconds = item.get_expiry()
    now = time.time()
    try:
        reset_at = limiter.get_window_stats(item, scope, key).reset_time
    except RedisError:
        reset_at = now + window_seconds
    return retry_after_seconds(reset_at=reset_at, now=now, window_seconds=window_seconds)
