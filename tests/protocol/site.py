"""Owns the site that random requests are sent to: a fleet of its own with two instances, its clock in our hands."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.e2e.fleet import CHECKOUT, Fleet, fleet_running, wait_until

# Stores under which the protocol must hold, and what `spillway up` is told for each.
STORES: dict[str, tuple[str, ...]] = {"filesystem": (), "s3": ("--store", "s3")}
_SETTINGS = {
    # Thousands of requests from one address are not what throttles are for.
    "THROTTLE_TRANSFER_CREATE": "1000000/minute",
    "THROTTLE_LINK_OPEN": "1000000/minute",
    # What survives a power cut is for other tests.
    "FSYNC": "false",
    # Several parts to a request of this size.
    "COMMIT_BYTES": str(2**17),
    # Requests are held open on purpose here, on a machine that may be busy.
    "UPLOAD_IDLE_SECONDS": "120",
    "LEASE_SECONDS": "60",
    # The disk that the tests run on may be nearly full.
    "MIN_FREE_BYTES": "0",
    "LOG_LEVEL": "WARNING",
}
_JUMP = """
UPDATE uploads_upload
SET expires_at = now() + make_interval(secs => 3600 * %(left)s),
    lease_until = lease_until - make_interval(secs => 3600 * %(hours)s)
WHERE id = %(id)s
"""


class Site:
    """Two instances, a worker, Traefik and nginx; no scheduler: whatever expires does so when a test says so."""

    def __init__(self, fleet: Fleet, sweeper: "subprocess.Popen[str]", database: "psycopg.Connection[Any]"):
        self.fleet = fleet
        self.instances = sorted(unit["address"] for unit in fleet.instances())
        self.proxy = f"127.0.0.1:{fleet.port}"
        self._sweeper = sweeper
        self._database = database

    def row(self, upload_id: str, columns: str) -> tuple[Any, ...] | None:
        """These columns of an upload's row and its file's."""
        query = f"SELECT {columns} FROM uploads_upload u JOIN transfers_file f ON f.id = u.file_id WHERE u.id = %s"
        return self._database.execute(query.encode(), [upload_id]).fetchone()

    def wait_for_holder(self, upload_id: str) -> None:
        """Until some request holds the upload's lease."""
        wait_until(
            lambda: self.row(upload_id, "u.lease_token") not in {None, (None,)},
            20,
            "a lease",
            every_seconds=0.002,
        )

    def jump(self, upload_id: str, *, hours: float, left: float) -> None:
        """What an instance would see whose clock goes forward by `hours` (or back): the upload expires in `left`."""
        self._database.execute(_JUMP, {"id": upload_id, "left": left, "hours": hours})

    def sweep(self) -> int:
        """Run the site's own sweep to its end; how many uploads it removed."""
        assert self._sweeper.stdin is not None
        assert self._sweeper.stdout is not None
        self._sweeper.stdin.write("\n")
        self._sweeper.stdin.flush()
        return int(self._sweeper.stdout.readline())


@contextmanager
def site_running(store: str) -> Iterator[Site]:
    """A site on that store, until the block ends."""
    with fleet_running(web=2, settings=_SETTINGS, options=STORES[store]) as fleet:
        fleet.run("stop", "beat")
        sweeper = subprocess.Popen(
            [sys.executable, "-m", "tests.protocol.sweeper"], cwd=CHECKOUT, env=fleet.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        with psycopg.connect(fleet.environment["DATABASE_URL"], autocommit=True) as database, sweeper:
            yield Site(fleet, sweeper, database)
            assert sweeper.stdin is not None
            sweeper.stdin.close()
