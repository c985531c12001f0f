"""Owns what keeps a lease while its holder waits for a slow store. Never while the holder itself has stopped.

A lease is short, so that a dead holder's is soon free; a disk may take longer than that to make 16 MiB durable. One
thread of each process renews the leases whose holders are in such a wait. It ends with the process, is stopped with it
(SIGSTOP), and gives up a holder that waits for too long.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings
from django.db import connection

from apps.common.errors import is_database_error
from apps.uploads.leasing import Lease
from apps.uploads.models import Upload

logger = structlog.get_logger(__name__)

# A store that takes longer for one call is as good as gone: another instance may have better luck.
PATIENCE_SECONDS = 60.0


class LeaseKeeper:
    """The leases of appends that run in this process. Nothing that a later request needs."""

    def __init__(self) -> None:
        self._by_id: dict[int, Lease] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def kept(self, lease: Lease) -> Iterator[None]:
        """Renew the lease inside this block whenever its holder has not done so for a while."""
        with self._changed:
            self._by_id[id(lease)] = lease
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                del self._by_id[id(lease)]

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._by_id)
                leases = list(self._by_id.values())
            _renew(lease for lease in leases if _waits_for_store(lease))
            time.sleep(settings.LEASE_SECONDS / 4)


def _waits_for_store(lease: Lease) -> bool:
    """A holder looks up several times a second unless something keeps it."""
    silent_seconds = time.monotonic() - lease.renewed_at
    return lease.held and settings.LEASE_SECONDS / 4 <= silent_seconds < PATIENCE_SECONDS


def _renew(leases: Iterable[Lease]) -> None:
    try:
        for lease in leases:
            Upload.objects.look(lease.upload_id, lease.token, seconds=settings.LEASE_SECONDS)
    except Exception as error:
        # The thread must live on; a lease that could not be renewed runs out, and its holder finds that out.
        if not is_database_error(error):
            logger.error("lease_keeper_failed", exc_info=True)
    finally:
        connection.close()


leases = LeaseKeeper()
