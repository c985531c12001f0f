"""Owns what instances say of themselves in Redis for the operators' pages: who is there, and counts by minute.

Written by one worker of each instance, once per health interval, from the thread that checks Redis; never in a request.
Totals only grow: a minute's count is the difference between two totals, so a beat that got lost costs nothing, and one
that comes twice counts once. A lost Redis is a gap in a plot.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import structlog
from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from apps.common.redis_clients import redis_client
from apps.lifecycle import scoreboard, status
from apps.lifecycle.scoreboard import Scoreboard
from apps.lifecycle.vocabulary import CHECK_OK

logger = structlog.get_logger(__name__)

MINUTES = 60
# An instance that has said nothing for so long is not there any more.
SILENT_SECONDS = 10.0
_SHOWN_SECONDS = 120  # how long one that has gone is still known
_MINUTE_TTL_SECONDS = 7_500
_TIMEOUT_SECONDS = 0.5
_FLEET = "spillway:fleet:instances"


@dataclass(frozen=True)
class Heartbeat:
    """What one instance last said. Times are seconds since the epoch, of the instance's own clock."""

    instance: str
    boot: str
    release: str
    state: str
    at: float
    uptime_seconds: float = 0.0
    in_flight: int = 0
    waiting: int = 0
    threads_busy: int = 0
    threads: int = 0
    pool_used: int = 0
    pool_max: int = 0
    uploads_active: int = 0
    free_bytes: int | None = None
    queue_depth: int | None = None
    troubles: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """What was written; fields that this release does not know are left out."""
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})

    def is_fresh(self, now: float) -> bool:
        """Whether it was said a moment ago."""
        return now - self.at < SILENT_SECONDS


@dataclass(frozen=True)
class Totals:
    """What one life of an instance has counted since `began_at`, in seconds since the epoch."""

    began_at: float = 0
    requests: float = 0
    failures: float = 0
    reads: float = 0
    arrived_bytes: float = 0
    uploads: float = 0
    given_bytes: float = 0
    downloads: float = 0
    queue_depth: float = 0  # a gauge: as it was
    uploads_active: float = 0  # a gauge too
    buckets: Sequence[int] = ()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """What was written."""
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})


# (instance, boot) -> its totals at the end of one minute.
Minute = dict[tuple[str, str], Totals]


class Beater:
    """Says how this instance is, over one connection that it keeps."""

    def __init__(self) -> None:
        self._client: Redis | None = None

    def beat(self) -> None:
        """Say it once, if this worker is the one that speaks. Neither raises nor hangs."""
        board = scoreboard.current()
        if board is None or not board.speaks(scoreboard.own_slot()):
            return
        try:
            if self._client is None:
                self._client = client()
            _write(self._client, heartbeat(board), totals(board))
        except (RedisError, OSError):
            return  # the check of Redis says so
        except Exception:
            logger.exception("heartbeat_broke")


def heartbeat(board: Scoreboard) -> Heartbeat:
    """How this instance is now."""
    told = status.report()
    pool = told["pool"]
    return Heartbeat(
        instance=settings.INSTANCE,
        boot=board.boot,
        release=settings.RELEASE,
        state=told["state"],
        at=time.time(),
        uptime_seconds=told["uptime_seconds"],
        in_flight=told["requests"]["in_flight"],
        waiting=told["requests"]["waiting"],
        threads_busy=told["threads"]["busy"],
        threads=told["threads"]["total"],
        pool_used=pool["size"] - pool["available"],
        pool_max=pool["max"],
        uploads_active=sum(int(slot.uploads_active) for slot in board.slots()),
        free_bytes=told["storage"]["free_bytes"],
        queue_depth=told["queue_depth"],
        troubles={
            name: seen["status"] for name, seen in told["checks"].items() if seen["status"] != CHECK_OK
        },
    )


def totals(board: Scoreboard) -> Totals:
    """What this life of the instance has counted."""
    counted = {
        name: board.total(f"{name}_total")
        for name in ("requests", "failures", "reads", "arrived_bytes", "uploads", "given_bytes", "downloads")
    }
    slots = list(board.slots())
    return Totals(
        began_at=time.time() - (time.monotonic() - board.began_at),
        **counted,
        queue_depth=max((int(slot.queue_depth) for slot in slots), default=0),
        uploads_active=sum(int(slot.uploads_active) for slot in slots),
        buckets=board.read_buckets(),
    )


def _write(redis: Redis, beat: Heartbeat, counted: Totals) -> None:
    minute = _minute_key(int(beat.at // 60))
    with redis.pipeline(transaction=False) as pipe:
        pipe.set(_instance_key(beat.instance), json.dumps(asdict(beat)), ex=_SHOWN_SECONDS)
        pipe.zadd(_FLEET, {beat.instance: beat.at})
        pipe.zremrangebyscore(_FLEET, "-inf", beat.at - _SHOWN_SECONDS)
        pipe.hset(minute, f"{beat.instance}/{beat.boot}", json.dumps(asdict(counted)))
        pipe.expire(minute, _MINUTE_TTL_SECONDS)
        pipe.execute()


def fleet_seen() -> list[Heartbeat]:
    """The instances that are there, or were a moment ago, by name. Raises RedisError."""
    with client() as redis:
        names = [name.decode() for name in redis.zrange(_FLEET, 0, 999)]
        texts = redis.mget([_instance_key(name) for name in names]) if names else []
    return sorted((Heartbeat.from_json(text) for text in texts if text), key=lambda beat: beat.instance)


def minutes_seen(minutes: Iterable[int]) -> list[Minute]:
    """The totals of each of these minutes since the epoch, in their order. Raises RedisError."""
    with client() as redis, redis.pipeline(transaction=False) as pipe:
        for minute in minutes:
            pipe.hgetall(_minute_key(minute))
        rows: list[dict[bytes, bytes]] = pipe.execute()
    return [{_life(name): Totals.from_json(text) for name, text in row.items()} for row in rows]


def _life(name: bytes) -> tuple[str, str]:
    instance, _, boot = name.decode().rpartition("/")
    return instance, boot


def _instance_key(instance: str) -> str:
    return f"spillway:fleet:instance:{instance}"


def _minute_key(minute: int) -> str:
    return f"spillway:fleet:minute:{minute}"


def client(**options: Any) -> Redis:
    """A connection with a short patience and without retries: the next look is the retry."""
    given = {
        "socket_timeout": _TIMEOUT_SECONDS,
        "socket_connect_timeout": _TIMEOUT_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    return redis_client(settings.CACHE_URL, **{**given, **options})
