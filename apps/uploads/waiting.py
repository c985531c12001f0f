"""Owns how a request hears that a lease was given back (LISTEN). Takes no lease, and decides nothing.

It listens on the connection that its thread asks questions with anyway: a request never holds two, so an instance with
as many connections as threads cannot run out of them by waiting. No bytes flow meanwhile.
"""

import uuid
from typing import Any

from django.db import Error, connection


class ReleaseListener:
    """Hears the releases of one upload's lease from `listen` to `close`."""

    def __init__(self, upload_id: uuid.UUID) -> None:
        self._channel = f"upload_{upload_id.hex}"  # where uploads.models tells it
        self.listens = False

    def listen(self) -> None:
        """From here on nothing is missed: what is told before `wait` is kept for it."""
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {self._channel}")
        self.listens = True

    def wait(self, seconds: float) -> None:
        """Return when the lease is given back, or after so many seconds."""
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
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"UNLISTEN {self._channel}")
        except Error:
            # Broken, or it would go on listening for whoever gets it next.
            if connection.connection is not None:
                connection.connection.close()
        finally:
            connection.close()
