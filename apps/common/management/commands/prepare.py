"""Owns making database and assets fit this release: migrations, hashed assets, the first admin. Safe to repeat.

One process does all of it, and what is done already is found out cheaply: this stands between `up` and the first page.
"""

import hashlib
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from psycopg.errors import LockNotAvailable

# Any number that nothing else locks on: one release prepares at a time.
_LOCK = 7_311_905
LOCK_WAIT_SECONDS = 300
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
        parser.add_argument("--admin-username", default="", help="also make this admin, if there is none yet")
        parser.add_argument(
            "--wait-seconds",
            type=int,
            default=LOCK_WAIT_SECONDS,
            help="how long to wait for another one that is at it (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with _alone(options["wait_seconds"]):
            migrate()
            if options["admin_username"]:
                call_command("ensure_admin", username=options["admin_username"])
            # By name: the store is apps.uploads' business, which this app lies below.
            call_command("prepare_store")
            collect_assets()


@contextmanager
def _alone(wait_seconds: int) -> Iterator[None]:
    try:
        _lock(wait_seconds)
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise CommandError(_busy(wait_seconds)) from None
        raise
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _lock(wait_seconds: int) -> None:
    """Advisory locks obey lock_timeout too; the migrations themselves may wait as long as they need."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{max(wait_seconds, 1)}s"])
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        cursor.execute("RESET lock_timeout")


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
