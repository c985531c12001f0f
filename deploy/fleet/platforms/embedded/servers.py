"""Owns starting single servers of the embedded platform for a while: for tests and for management commands."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deploy.fleet.checkout import ROOT
from deploy.fleet.configuration import STORE_FILESYSTEM, STORE_S3, UpOptions
from deploy.fleet.errors import StartError
from deploy.fleet.platforms.embedded import database_place, journal, postgres, redis, seaweedfs, site, stack
from deploy.fleet.platforms.embedded.credentials import load_or_create
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.lock import MANAGE, holder_of, supervisor_lock
from deploy.fleet.platforms.embedded.network_ports import PortBook
from deploy.fleet.platforms.embedded.orphans import end_orphans
from deploy.fleet.platforms.embedded.release import release_of
from deploy.fleet.platforms.embedded.service import Context, Service
from deploy.fleet.processes import Child, last_lines, spawn

_START_SECONDS = 60.0


@contextmanager
def services_running(
    data: Path, only: Sequence[str] = ("postgres", "redis"), *, durable: bool = False
) -> Iterator[dict[str, str]]:
    """Run the named servers in `data` for as long as the block takes; yields DATABASE_URL and REDIS_URL.

    For data nobody will miss: PostgreSQL does not fsync (unless `durable`), and what had to be put outside `data`
    is removed at the end. `data` itself is the caller's to remove. Raises StartError.
    """
    try:
        with servers_running(DataFolder(data), only, durable=durable) as context:
            yield {"DATABASE_URL": postgres.url(context), "REDIS_URL": redis.url(context)}
    finally:
        database_place.forget(DataFolder(data))


@contextmanager
def database_lent(folder: DataFolder) -> Iterator[dict[str, str]]:
    """The whole environment of a site whose fleet does not run, its database and Redis started meanwhile."""
    store = journal.read_desired(folder).store or STORE_FILESYSTEM
    needed = (postgres.NAME, redis.NAME, *([seaweedfs.NAME] if store == STORE_S3 else []))
    with servers_running(
        folder, needed, durable=True, options=UpOptions(folder.root, store=store)
    ) as context:
        yield site.environment(context)


@contextmanager
def servers_running(
    folder: DataFolder, only: Sequence[str], *, durable: bool, options: UpOptions | None = None
) -> Iterator[Context]:
    """The same, with all that is known about the servers: ports, secrets, folders."""
    folder.prepare()
    with ExitStack() as at_the_end:
        if at_the_end.enter_context(supervisor_lock(folder, MANAGE)) is None:
            raise StartError(why_not(folder))
        end_orphans(folder)
        context = _context(folder, options or UpOptions(folder.root), durable=durable)
        for name in only:
            _start(context, name, at_the_end)
        yield context


def _context(folder: DataFolder, options: UpOptions, *, durable: bool) -> Context:
    return Context(
        folder=folder, credentials=load_or_create(folder), ports=PortBook(folder.ports),
        options=options, release=os.environ.get("RELEASE") or release_of(ROOT), durable=durable,
    )  # fmt: skip


def why_not(folder: DataFolder) -> str:
    """Who has the data folder, and what to do about it, in one line."""
    holder = holder_of(folder)
    if holder is None or holder.verb != MANAGE:
        return f"A fleet runs, or is being started, in {folder.root}."
    return (
        f"`spillway manage` (process {holder.pid}) is at work in {folder.root}: try again when it has ended."
    )


def _start(context: Context, name: str, at_the_end: ExitStack) -> None:
    if name == postgres.NAME:
        postgres.prepare(context)
    service = stack.SERVERS[name](context)
    child = spawn(service.command)
    # At once: an interruption while it starts must stop it too.
    at_the_end.callback(_stop, service, child)
    until = time.monotonic() + _START_SECONDS
    while service.ready().state != "ready":
        if child.exited() is not None or time.monotonic() > until:
            child.kill()
            raise StartError(f"{name} did not start.", log_tail=last_lines(context.folder.log(name), 10))
        time.sleep(0.02)


def _stop(service: Service, child: Child) -> None:
    try:
        child.stop(service.fast_stop_signal, service.stop_limit_seconds)
    except BaseException:
        child.kill()
        child.wait(5)
        raise
