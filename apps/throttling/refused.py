"""Owns what is remembered of refusals for the operators: who was refused where, how often, when last. Best effort.

The counters themselves know only digests. Here the address stands as it is, for an hour, so that somebody who was shut
out by a neighbour behind the same address can be let in.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from django_redis import get_redis_connection
from redis import Redis

_KEPT_SECONDS = 3600
_MOST = 1000
_LATEST = "spillway:throttled"


@dataclass(frozen=True)
class Refused:
    """Somebody whom a throttle refused lately. `at` is seconds since the epoch."""

    scope: str
    key: str
    count: int
    at: float


def refusal_note(*, scope: str, key: str) -> None:
    """Remember one refusal. Raises RedisError."""
    member, now = json.dumps([scope, key]), time.time()
    with _redis().pipeline(transaction=False) as pipe:
        pipe.zadd(_LATEST, {member: now})
        pipe.zremrangebyrank(_LATEST, 0, -_MOST - 1)
        pipe.expire(_LATEST, _KEPT_SECONDS)
        pipe.incr(_count_key(member))
        pipe.expire(_count_key(member), _KEPT_SECONDS)
        pipe.execute()


def refusals_seen(*, most: int = 200) -> list[Refused]:
    """Whom throttles refused within the last hour, the latest first. Raises RedisError."""
    redis = _redis()
    found: Any = redis.zrevrangebyscore(
        _LATEST, "+inf", time.time() - _KEPT_SECONDS, start=0, num=most, withscores=True
    )
    counts = redis.mget([_count_key(member.decode()) for member, _ in found]) if found else []
    return [_refused(member, int(count or 1), at) for (member, at), count in zip(found, counts, strict=True)]


def _refused(member: bytes, count: int, at: float) -> Refused:
    scope, key = json.loads(member)
    return Refused(scope, key, count, at)


def refusal_forget(*, scope: str, key: str) -> None:
    """They are let in. Raises RedisError."""
    member = json.dumps([scope, key])
    redis = _redis()
    redis.zrem(_LATEST, member)
    redis.delete(_count_key(member))


def _count_key(member: str) -> str:
    return f"spillway:throttled:count:{member}"


def _redis() -> Redis:
    redis: Redis = get_redis_connection("default")
    return redis
