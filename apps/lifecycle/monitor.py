"""Owns the threads that keep an instance's checks fresh. Writes results to the scoreboard; decides nothing.

One thread per lane, so that what hangs holds up only itself, and no second run is started while the first is
stuck: its age tells. The database lane also has a deadline that cuts its socket, because a server that has
stopped answering keeps a connection open for ever.
"""

import asyncio
import contextlib
import inspect
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from django.db import Error as DatabaseError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from health_check.exceptions import HealthCheckException

from apps.lifecycle import pools, scoreboard, tally
from apps.lifecycle.checks import UNPOOLED, LaneSpec, Watched, lanes, unpooled_connection
from apps.lifecycle.rules import LIMIT_SECONDS
from apps.lifecycle.vocabulary import CHECK_OK, CheckName

logger = structlog.get_logger(__name__)
# A failed check is looked at again soon, so that an instance is back quickly.
_RETRY_SECONDS = 1.0
_stopped = threading.Event()


def start() -> None:
    """Start one thread per lane in this worker."""
    for spec in lanes():
        lane = DatabaseLane(spec) if spec.on_database else Lane(spec)
        threading.Thread(target=lane.run, name=f"check-{spec.name}", daemon=True).start()


def stop() -> None:
    """Let the threads end after what they are doing."""
    _stopped.set()


class Lane:
    """One thread's endless round of its checks."""

    def __init__(self, spec: LaneSpec) -> None:
        self.spec = spec
        self._loop: asyncio.AbstractEventLoop | None = None
        self._said: dict[CheckName, str] = {}

    def run(self) -> None:
        """Check, wait, repeat, until the worker stops."""
        while not _stopped.is_set():
            fine = self.round()
            period = self.spec.period_seconds if fine else min(self.spec.period_seconds, _RETRY_SECONDS)
            _stopped.wait(period * random.uniform(0.9, 1.1))  # noqa: S311 - so that instances do not ask in step

    def round(self) -> bool:
        """Run every check of the lane once; whether all are fine."""
        results = [self._look(watched) for watched in self.spec.watched]
        fine = all(results)
        if fine and self.spec.afterwards is not None:
            self.look_afterwards(self.spec.afterwards)
        return fine

    def look_afterwards(self, look: Callable[[], None]) -> None:
        """What else the thread is for."""
        look()

    def _look(self, watched: Watched) -> bool:
        began = time.monotonic()
        slot = scoreboard.own_slot()
        if slot is not None:
            slot.check_began(watched.name, began)
        reason = self.ask(watched)
        if slot is not None:
            slot.check_ended(
                watched.name, ok=reason == CHECK_OK, reason=reason, began=began, now=time.monotonic()
            )
            _put_pool(slot)
        self._say(watched.name, reason)
        return reason == CHECK_OK

    def ask(self, watched: Watched) -> str:
        """The word "ok", or in our own words why not."""
        try:
            self._run(watched)
        except HealthCheckException as error:
            return watched.reason or str(error.message)
        except (DatabaseError, OSError, TimeoutError):
            return watched.reason or "cannot be read"
        except Exception:
            # A check with a bug is a failed check, never a thread that has ended.
            logger.exception("check_broke", check=watched.name.value)
            return "the check itself failed"
        return CHECK_OK

    def _run(self, watched: Watched) -> None:
        if not inspect.iscoroutinefunction(watched.check.run):
            watched.check.run()
            return
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(asyncio.wait_for(watched.check.run(), LIMIT_SECONDS))

    def _say(self, name: CheckName, reason: str) -> None:
        if self._said.get(name, CHECK_OK) != reason:
            severity = logger.info if reason == CHECK_OK else logger.warning
            severity("check_changed", check=name.value, reason=reason)
        self._said[name] = reason


class DatabaseLane(Lane):
    """Checks that ask the database over a connection of their own, kept open between rounds."""

    def __init__(self, spec: LaneSpec) -> None:
        super().__init__(spec)
        self._wrapper: BaseDatabaseWrapper | None = None
        self._was_connected = False

    def round(self) -> bool:
        """Connect if need be; when that was a reconnect, freshen the pool before anything is called ready."""
        fine = super().round()
        if not fine and self._wrapper is not None:
            with contextlib.suppress(Exception):
                self._wrapper.close()
        return fine

    def ask(self, watched: Watched) -> str:
        """As any lane, but over this thread's own connection; requests learn whether to wait for theirs."""
        reason = self._ask_in_time(watched)
        if watched.name is CheckName.DATABASE:
            pools.expect_database(reason == CHECK_OK)
        return reason

    def look_afterwards(self, look: Callable[[], None]) -> None:
        """As any lane, but with the deadline of a check; what came of it must not be a check's failure later."""
        if self._wrapper is not None:
            with _Deadline(self._wrapper, LIMIT_SECONDS):
                look()
                _close_if_broken(self._wrapper)

    def _ask_in_time(self, watched: Watched) -> str:
        try:
            wrapper = self._connected()
        except DatabaseError:
            return watched.reason or "cannot be read"
        with _Deadline(wrapper, LIMIT_SECONDS):
            return super().ask(watched)

    def _connected(self) -> BaseDatabaseWrapper:
        if self._wrapper is None:
            # Connections belong to the thread that uses them: this one's "health" is this wrapper.
            self._wrapper = unpooled_connection()
            connections[UNPOOLED] = self._wrapper
        if self._wrapper.connection is None:
            self._wrapper.ensure_connection()
            if self._was_connected:
                pools.refresh()
            self._was_connected = True
        return self._wrapper


def _close_if_broken(wrapper: BaseDatabaseWrapper) -> None:
    """So that the next check connects anew: it would take a dead line for the end of the database."""
    if wrapper.errors_occurred and not wrapper.is_usable():
        with contextlib.suppress(Exception):
            wrapper.close()
    wrapper.errors_occurred = False


class _Deadline:
    """Cuts a connection's socket when a query takes too long: the driver then raises and stops waiting."""

    def __init__(self, wrapper: BaseDatabaseWrapper, seconds: float) -> None:
        self._wrapper = wrapper
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: Any) -> None:
        self._timer.cancel()

    def _cut(self) -> None:
        connection = self._wrapper.connection
        if connection is None:
            return
        # A copy of the descriptor: closing ours must not close the driver's.
        with (
            contextlib.suppress(OSError, ValueError),
            socket.socket(fileno=os.dup(connection.fileno())) as wire,
        ):
            wire.shutdown(socket.SHUT_RDWR)


def _put_pool(slot: scoreboard.Slot) -> None:
    seen = pools.look()
    if seen is None:
        return
    slot.pool_min, slot.pool_max = pools.limits()
    slot.pool_size, slot.pool_available = seen.size, seen.available
    slot.pool_waiting = seen.waiting
    tally.refused(seen.refused)
