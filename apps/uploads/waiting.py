"""Owns how a request hears that a lease was given back (LISTEN). Takes no lease, and decides nothing.

It listens on the connection that its thread asks questions with anyway: a request never holds two, so an instance with
as many connections as threads cannot run out of them by waiting. No bytes flow meanwhile.

Behind a pooler in transaction mode it only waits: LISTEN would stay with a connection that is somebody else's next.
"""

import time
import uuid
from typing import Any

from django.conf import settings
from django.db import Error, connection


class ReleaseListener:
    """Hears the releases of one upload's lease from `listen` to `close`."""

    def __init__(self, upload_id: uuid.UUID) -> None:
        self._channel = f"upload_{upload_id.hex}"  # where uploads.models tells it
        self.listens = False
        self._hears = settings.DATABASE_POOLER == "none"

    def listen(self) -> None:
        """From here on nothing is missed: what is told before `wait` is kept for it."""
        if self._hears:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {self._channel}")
        self.listens = True

    def wait(self, seconds: float) -> None:
        """Return when the lease is given back, or after so many seconds."""
        if not self._hears:
            connection.close()
            time.sleep(seconds)
            return
        # Django gives no way to wait; psycopg's own errors become Django's.
        raw: Any = connection.connection
        with connection.wrap_database_errors:
            for _ in raw.notifies(timeout=seconds, stop_after=1):
                pass

    def close(self) -> None:
        """Stop listening: the connection is somebody else's next."""
        if not self.listens:
            return
        self.listens = False
        if not self._hears:
            return
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"UNLISTEN {self._channel}")
        except Error:
            # Broken, or it would go on listening for whoever gets it next.
            if connection.connection is not None:
                connection.connection.close()
        finally:
            connection.close()
