"""Owns the copy in Redis of what a link's page shows, and who may make it. Never decides who may see it.

A copy holds data, not a page: no language, no visitor. It counts only under the version of the link that stood before
the database was read, and every change of the transfer or its files sets a new version once it is committed: whoever
read slowly stores what nobody looks at. Without Redis everybody reads the database. The sender's pages never come here.
"""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any, Self

import structlog
from django.db import transaction
from django_redis import get_redis_connection
from redis.exceptions import RedisError
from redis.lock import Lock

from apps.throttling.counters import counters
from apps.transfers.models import Transfer
from apps.transfers.sharing import SharedFile, SharedTransfer, shared_transfer

logger = structlog.get_logger(__name__)

# How long a change whose word got lost on the way to Redis can stay unseen.
FRESH_SECONDS = 60.0
# So much longer a copy is shown to those who come while one of them makes the next.
_KEPT_SECONDS = 90
_VERSION_SECONDS = 3600
# Whoever waits for another's copy gives up and reads the database; a builder that died is waited for no longer.
WAIT_SECONDS = 1.0
_BUILDER_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.02


@dataclass(frozen=True)
class Copy:
    """What lies in Redis for one link."""

    shared: SharedTransfer
    version: str
    made_at: float

    @property
    def is_fresh(self) -> bool:
        """Whether it is shown without anybody making another."""
        return time.time() - self.made_at < FRESH_SECONDS

    def to_json(self) -> str:
        """As it lies there."""
        return json.dumps([self.version, self.made_at, asdict(self.shared)], default=_plain)

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """What `to_json` made."""
        version, made_at, values = json.loads(text)
        for name in ("expires_at", "closed_at", "taken_down_at", "created_at"):
            values[name] = datetime.fromisoformat(values[name]) if values[name] else None
        values["files"] = tuple(SharedFile(**file) for file in values["files"])
        return cls(SharedTransfer(**{**values, "pk": uuid.UUID(values["pk"])}), version, made_at)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


class Shelf:
    """One link's place in Redis. Every method may raise RedisError."""

    def __init__(self, token: str) -> None:
        # A token opens its link: Redis' keys turn up in its logs and tools.
        name = sha256(token.encode()).hexdigest()[:32]
        # Another release may keep another shape; changes are told to all of them.
        self._copy, self._version = f"link:copy1:{name}", f"link:version:{name}"
        self._redis = get_redis_connection("default")
        self._lock = Lock(self._redis, f"link:builder:{name}", timeout=_BUILDER_SECONDS, thread_local=False)

    def look(self) -> Copy | None:
        """The copy of the version that stands, fresh or not."""
        version, text = self._redis.mget(self._version, self._copy)
        if version is None or text is None:
            return None
        copy = Copy.from_json(text)
        return copy if copy.version == version.decode() else None

    def version(self) -> str:
        """The version that stands; one is made where there is none, for a copy of nothing known is never trusted."""
        self._redis.set(self._version, uuid.uuid4().hex, ex=_VERSION_SECONDS, nx=True)
        return (self._redis.get(self._version) or b"").decode()

    def put(self, copy: Copy) -> None:
        """Keep a copy for a while."""
        self._redis.set(self._copy, copy.to_json(), ex=_KEPT_SECONDS)

    def change(self) -> None:
        """From now on no copy that was begun before counts."""
        self._redis.set(self._version, uuid.uuid4().hex, ex=_VERSION_SECONDS)

    @contextmanager
    def building(self) -> Iterator[bool]:
        """Whether this is the one who makes the next copy."""
        is_builder = self._lock.acquire(blocking=False)
        try:
            yield is_builder
        finally:
            if is_builder:
                self._lock.release()


def link_shared(token: str) -> SharedTransfer | None:
    """What is behind a link, from Redis if it can be, else from the database; None when there is nothing.

    Nothing is not remembered: a guess costs what it always did.
    """
    if counters().rests:  # Redis was just seen to be away
        return shared_transfer(token)
    shelf, until = Shelf(token), time.monotonic() + WAIT_SECONDS
    while True:
        try:
            copy = shelf.look()
        except RedisError as error:
            logger.warning("link_copy_unavailable", detail=type(error).__name__)
            return shared_transfer(token)
        if copy and copy.is_fresh:
            return copy.shared
        built = _Built()
        _build_alone(shelf, token, built)
        if built.done:
            return built.shared
        if copy:
            return copy.shared
        if time.monotonic() > until:
            return shared_transfer(token)
        time.sleep(_LOOK_AGAIN_SECONDS)


@dataclass
class _Built:
    """What a builder brings, which a Redis that goes away meanwhile must not lose."""

    done: bool = False
    shared: SharedTransfer | None = None


def _build_alone(shelf: Shelf, token: str, built: _Built) -> None:
    """1. Be the only one. 2. Look once more: another may have been it a moment ago. 3. Note the version. 4. Read the
    database. 5. Store under the version noted.
    """
    try:
        with shelf.building() as is_builder:
            if not is_builder:
                return
            copy = shelf.look()
            if copy and copy.is_fresh:
                built.shared, built.done = copy.shared, True
                return
            version = shelf.version()
            built.shared, built.done = shared_transfer(token), True
            if built.shared is not None:
                shelf.put(Copy(built.shared, version, time.time()))
    except RedisError as error:
        logger.warning("link_copy_unavailable", detail=type(error).__name__)
        if not built.done:
            built.shared, built.done = shared_transfer(token), True


def transfer_changed(transfer: str | uuid.UUID) -> None:
    """Whatever its link's page shows has changed: by the link's token, or by the transfer's id where only that is known
    and the transfer is still there. Heard once the current transaction has committed.
    """
    transaction.on_commit(partial(_tell, transfer))


def _tell(transfer: str | uuid.UUID) -> None:
    tokens = [transfer] if isinstance(transfer, str) else _tokens(transfer)
    for token in tokens:
        try:
            Shelf(token).change()
        except RedisError as error:
            # Copies made before are shown until they are FRESH_SECONDS old, if Redis comes back with them.
            logger.warning("link_change_untold", detail=type(error).__name__)


def _tokens(transfer_id: uuid.UUID) -> list[str]:
    return list(Transfer.objects.filter(pk=transfer_id).values_list("token", flat=True))
