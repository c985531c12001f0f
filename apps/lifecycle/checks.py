"""Owns what an instance needs to be ready, as django-health-check classes, and in which lanes they run.

A lane is one thread: what hangs in it delays nobody else. No check takes a connection from the pool. Reasons
are our own words: what a driver says may hold host names.
"""

import dataclasses
import errno
import os
import pkgutil
import time
import uuid
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils.module_loading import import_string
from health_check.base import HealthCheck
from health_check.checks import Database
from health_check.contrib.redis import Redis
from health_check.exceptions import ServiceUnavailable
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio import RedisCluster as AsyncRedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from apps.common.redis_clients import async_redis_client
from apps.lifecycle import pools, scoreboard
from apps.lifecycle.backlog import BacklogLook
from apps.lifecycle.broker import QueueLook
from apps.lifecycle.heartbeats import Beater
from apps.lifecycle.ordered import OrderLook
from apps.lifecycle.rules import LIMIT_SECONDS, POOL_PERIOD_SECONDS, PoolTrouble, pool_trouble, pool_verdict
from apps.lifecycle.vocabulary import CHECK_OK, CheckName

# Requests may queue for a connection for a moment, while new ones are opened; for longer means that there are too few.
POOL_MOMENT_SECONDS = 2.5
# The alias under which a checking thread finds its own connection, beside the pool.
UNPOOLED = "health"
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclasses.dataclass
class PoolCheck(HealthCheck):
    """The pool has connections to give. Recovers by itself when they come back."""

    trouble: PoolTrouble = dataclasses.field(default_factory=PoolTrouble, repr=False)

    def run(self) -> None:
        """Look at the pool's figures only."""
        seen = pools.look()
        if seen is None:
            return
        now = time.monotonic()
        self.trouble = pool_trouble(self.trouble, seen, now=now)
        verdict = pool_verdict(self.trouble, seen, now=now, moment_seconds=POOL_MOMENT_SECONDS)
        if verdict != CHECK_OK:
            raise ServiceUnavailable(verdict)


@dataclasses.dataclass
class MigrationsCheck(HealthCheck):
    """Every migration of this code has been applied; the database may be ahead of it (during a rollout)."""

    alias: str = UNPOOLED

    def run(self) -> None:
        """One query; the names on disk are read once per process."""
        connection = connections[self.alias]
        with connection.temporary_connection():
            applied = MigrationRecorder(connection).applied_migrations()
        missing = _migrations_on_disk() - set(applied)
        if missing:
            raise ServiceUnavailable(f"{len(missing)} missing, first {'.'.join(min(missing))}")


_on_disk: set[tuple[str, str]] = set()


def _migrations_on_disk() -> set[tuple[str, str]]:
    """(app, name) of every migration file, not imported: that would cost a tenth of a cold start."""
    if not _on_disk:
        for app in apps.get_app_configs():
            module, _ = MigrationLoader.migrations_module(app.label)
            _on_disk.update((app.label, name) for name in _module_names(module))
    return _on_disk


def _module_names(package: str | None) -> list[str]:
    try:
        paths = import_module(package).__path__ if package else []
    except ModuleNotFoundError:
        return []
    return [found.name for found in pkgutil.iter_modules(paths) if found.name[0] not in "_~"]


@dataclasses.dataclass
class StorageCheck(HealthCheck):
    """A file can be written to staging, and the blobs' folder is there. A full disk is no failure."""

    root: Path = dataclasses.field(default_factory=lambda: Path(settings.STORE_ROOT), repr=False)

    def run(self) -> None:
        """Write, remove, note the free space. No space left refuses uploads (507), not downloads."""
        if not (self.root / "blobs").is_dir():
            raise ServiceUnavailable("the blobs folder is missing")
        try:
            self._write()
        except FileNotFoundError:
            raise ServiceUnavailable("the staging folder is missing") from None
        except OSError as error:
            if error.errno not in _FULL:
                raise ServiceUnavailable(f"staging cannot be written: {error.strerror}") from None
        self._note_free_space()

    def _write(self) -> None:
        path = self.root / "staging" / f".health-{settings.INSTANCE}-{uuid.uuid4().hex}"
        try:
            path.write_bytes(b"spillway")
        finally:
            path.unlink(missing_ok=True)

    def _note_free_space(self) -> None:
        slot = scoreboard.own_slot()
        if slot is not None:
            figures = os.statvfs(self.root)
            slot.free_bytes = figures.f_bavail * figures.f_frsize


@dataclasses.dataclass
class ObjectStoreCheck(HealthCheck):
    """The bucket can be asked for, with our keys."""

    def run(self) -> None:
        """One short question; the answer is in our words already."""
        if trouble := import_string(settings.BLOB_STORE)().trouble():
            raise ServiceUnavailable(trouble)


def storage_check() -> HealthCheck:
    """What looks at the store that this site uses."""
    return StorageCheck() if settings.STORE == "filesystem" else ObjectStoreCheck()


def redis_check() -> HealthCheck:
    """A ping on a connection of its own, without retries: the next look is the retry."""

    def client() -> AsyncRedis | AsyncRedisCluster:
        return async_redis_client(
            settings.CACHE_URL,
            socket_timeout=2.0,
            socket_connect_timeout=2.0,
            retry=Retry(NoBackoff(), 0),
        )

    return Redis(client_factory=client)


def unpooled_connection() -> BaseDatabaseWrapper:
    """A connection beside the pool, for checks: it neither queues behind requests nor takes theirs."""
    wrapper: BaseDatabaseWrapper = connections["default"].copy(UNPOOLED)
    options = dict(wrapper.settings_dict["OPTIONS"])
    options.pop("pool", None)
    options["connect_timeout"] = 2
    if settings.DATABASE_POOLER == "none":
        # Longer than the limit helps nobody, and it would leave a query behind in the database.
        options["options"] = f"-c statement_timeout={int(LIMIT_SECONDS * 1000)}"
    wrapper.settings_dict["OPTIONS"] = options
    return wrapper


@dataclasses.dataclass(frozen=True)
class Watched:
    """One check of a lane. `reason` replaces what the check says; None where its words are ours."""

    name: CheckName
    check: HealthCheck
    reason: str | None = None


@dataclasses.dataclass(frozen=True)
class LaneSpec:
    """What one thread checks, in order, every so often. `on_database`: it needs the unpooled connection.

    `afterwards` is what else the thread looks at when all was fine; it must neither raise nor hang.
    """

    name: str
    watched: tuple[Watched, ...]
    period_seconds: float
    on_database: bool = False
    afterwards: Callable[[], None] | None = None


def lanes() -> list[LaneSpec]:
    """All checks of a web instance. To add one: a CheckName, a HealthCheck class, a line here."""
    period = settings.HEALTH_INTERVAL_SECONDS
    return [
        LaneSpec(
            "database",
            (
                Watched(CheckName.DATABASE, Database(alias=UNPOOLED), "cannot be reached"),
                Watched(CheckName.MIGRATIONS, MigrationsCheck()),
            ),
            period,
            on_database=True,
            afterwards=_after_database(),
        ),
        LaneSpec(
            "redis",
            (Watched(CheckName.REDIS, redis_check(), "cannot be reached"),),
            period,
            afterwards=_after_redis(),
        ),
        LaneSpec("pool", (Watched(CheckName.POOL, PoolCheck()),), POOL_PERIOD_SECONDS),
        LaneSpec("storage", (Watched(CheckName.STORAGE, storage_check()),), period),
    ]


def _after_database() -> Callable[[], None]:
    orders, backlog = OrderLook(UNPOOLED), BacklogLook(UNPOOLED)

    def look() -> None:
        orders.look()
        backlog.look()

    return look


def _after_redis() -> Callable[[], None]:
    queue, beater = QueueLook(), Beater()

    def look() -> None:
        queue.note()
        beater.beat()

    return look


def for_operators() -> list[HealthCheck]:
    """The same, for the operators' page, which asks anew from a thread that has only the pool."""
    return [Database(), redis_check(), PoolCheck(), MigrationsCheck(alias="default"), storage_check()]
