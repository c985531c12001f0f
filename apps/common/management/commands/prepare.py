"""Owns making database and assets fit this release: migrations, hashed assets, the first admin. Safe to repeat.

One process does all of it, and what is done already is found out cheaply: this stands between `up` and the first page.
"""

import hashlib
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

# Any number that nothing else locks on: one release prepares at a time.
_LOCK = 7_311_905
LOCK_WAIT_SECONDS = 300
ASK_AGAIN_SECONDS = 0.2
_HOLDER = """
SELECT application_name, pid FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objid = %s AND datname = current_database()
"""


class Command(BaseCommand):
    """`manage.py prepare [--admin-username NAME]`; the admin's password is read from ADMIN_PASSWORD."""

    help = (
        "Migrate the database, make the store and the first admin, collect the assets: what is still to do."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--assets",
            choices=("collect", "publish"),
            default="collect",
            help="collect them into STATIC_ROOT, or publish the image's in the object store (default: %(default)s)",
        )
        parser.add_argument("--admin-username", default="", help="also make this admin, if there is none yet")
        parser.add_argument(
            "--wait-seconds",
            type=int,
            default=LOCK_WAIT_SECONDS,
            help="how long to wait for another one that is at it (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.DATABASE_POOLER != "none":
            # Its lock, and some migrations, need a connection that stays the same.
            raise CommandError(
                "DATABASE_POOLER: `prepare` must reach PostgreSQL itself. Set it to none, with its address."
            )
        with _alone(options["wait_seconds"]):
            migrate()
            if options["admin_username"]:
                call_command("ensure_admin", username=options["admin_username"])
            # By name: the store is apps.uploads' business, which this app lies below.
            call_command("prepare_store")
            if options["assets"] == "publish":
                call_command("publish_assets", stdout=self.stdout)
            else:
                collect_assets()


@contextmanager
def _alone(wait_seconds: int) -> Iterator[None]:
    if not _lock(wait_seconds):
        raise CommandError(_busy(wait_seconds))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _lock(wait_seconds: int) -> bool:
    """Whether it is our turn within so many seconds.

    Asked again and again: a statement that waits has a snapshot, and an index that the other one makes CONCURRENTLY
    waits for every older snapshot to go, ours too. PostgreSQL calls that a deadlock.
    """
    until = time.monotonic() + wait_seconds
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
            if cursor.fetchone()[0]:
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(ASK_AGAIN_SECONDS)


def _busy(wait_seconds: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute(_HOLDER, [_LOCK])
        holder = cursor.fetchone()
    who = f" ({holder[0]}, process {holder[1]} of the database)" if holder else ""
    return (
        f"Another `prepare`{who} has been at this database for {wait_seconds} s. Let it end, then try again."
    )


def migrate() -> bool:
    """Apply what is missing; returns whether anything was."""
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return False
    call_command("migrate", interactive=False)
    return True


def collect_assets() -> bool:
    """Hash and copy the assets, unless exactly these were collected for this release; returns whether they were."""
    stamp = Path(settings.STATIC_ROOT) / f".collected.{settings.RELEASE}"
    found = _fingerprint()
    if stamp.is_file() and stamp.read_text() == found:
        return False
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(found)
    return True


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
