"""Owns this process's database pool as seen by its keeper: open, look, refresh after an outage, close.

Never takes a connection that a request could have.
"""

import time
from typing import Any

from django.conf import settings
from django.db import connection
from psycopg import Connection
from psycopg_pool import ConnectionPool

from apps.lifecycle.rules import PoolSeen

_NO_DATABASE_SECONDS = 0.2
Pool = ConnectionPool[Connection[Any]]


def pool() -> Pool | None:
    """This process's pool, None where the settings ask for none (a Celery worker, a management command)."""
    found: Pool | None = getattr(connection, "pool", None)
    return found


def open_to_minimum(*, give_up_at: float) -> bool:
    """Open the pool and wait until it holds its minimum. False when `give_up_at` (monotonic) comes first.

    Not `pool.wait`: that closes the pool for good when the database is late.
    """
    opened = pool()
    if opened is None:
        return True
    opened.open()
    while not _is_warm(opened):
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.005)
    return True


def _is_warm(opened: Pool) -> bool:
    stats = opened.get_stats()
    # Requests that came early may hold connections already: then it is warm as well.
    return stats["pool_available"] >= opened.min_size or stats.get("requests_num", 0) > 0


def look() -> PoolSeen | None:
    """The pool's figures now; None where there is no pool."""
    seen = pool()
    if seen is None:
        return None
    stats = seen.get_stats()
    return PoolSeen(
        size=stats["pool_size"],
        available=stats["pool_available"],
        waiting=stats.get("requests_waiting", 0),
        refused=stats.get("requests_errors", 0),
    )


def limits() -> tuple[int, int]:
    """The pool's least and greatest size; (0, 0) where there is no pool."""
    sized = pool()
    return (0, 0) if sized is None else (sized.min_size, sized.max_size or sized.min_size)


def refresh() -> None:
    """After an outage: throw out connections that died with it and let the pool grow again at once.

    Left to itself the pool hands dead connections to requests one after the other, sleeping in between, and
    tries the database again only when its backoff says so.
    """
    worn = pool()
    if worn is not None and not worn.closed:
        worn.check()


def expect_database(there: bool) -> None:
    """How long requests wait for a connection: as configured, or hardly at all while there is no database.

    A page may ask for a connection several times. Waiting each time for what is known to be gone would keep all
    threads busy for as long as the outage lasts, and slow even the pages that need no database.
    """
    waited_for = pool()
    if waited_for is not None:
        waited_for.timeout = settings.DB_POOL_TIMEOUT_SECONDS if there else _NO_DATABASE_SECONDS


def close() -> None:
    """Give all connections back to the database. The pool cannot be opened again."""
    closing = pool()
    if closing is not None:
        closing.close(timeout=1.0)
