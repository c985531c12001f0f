"""Owns how our own processes are started: web instances, workers, beat and management commands.

They get everything by environment; this module never imports their code.
"""

import os
import signal
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from deploy.fleet.configuration import STORE_S3
from deploy.fleet.platforms.embedded import forwarding, postgres, redis, releases, seaweedfs
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.service import Context, Service, loopback, when_true
from deploy.fleet.probes import instance_is_live, instance_readiness
from deploy.fleet.processes import OWNER_VARIABLE, Command

BEAT = "beat"
_GRACEFUL_SECONDS = 30.0
_DRAIN_SECONDS = 5.0
_WORKER_STOP_SECONDS = 20.0


def web_name(number: int) -> str:
    return f"web-{number}"


def worker_name(number: int) -> str:
    return f"worker-{number}"


def environment(context: Context, release: str | None = None) -> dict[str, str]:
    """What every process of the site needs. The operator's own variables pass, but for those that we own.

    `release`: whose code it runs; the one that this fleet was started with if left out.
    """
    owned = _owned(context, release or context.release)
    # A `NAME_FILE` would be read instead of what we set.
    passed = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in owned}
    # Each letter is a file there; the library takes the first slash away.
    letters = mail_folder(context.folder)
    mail = {} if letters is None else {"EMAIL_URL": f"filemail:///{quote(str(letters), safe='')}"}
    return {**passed, **mail, **owned}


def mail_folder(folder: DataFolder) -> Path | None:
    """Where mail is written, for whoever tries the site; None where the operator has said where it goes."""
    return None if os.environ.get("EMAIL_URL") or os.environ.get("EMAIL_URL_FILE") else folder.mail


def _owned(context: Context, release: str) -> dict[str, str]:
    folder = context.folder
    public_url = os.environ.get("PUBLIC_URL") or context.options.address
    store = {}
    if context.options.store == STORE_S3:
        # Blobs come through the proxy, as everything does.
        given = os.environ.get("S3_PUBLIC_URL")
        store = seaweedfs.settings(context) | {"S3_PUBLIC_URL": given or public_url}
    return store | {
        "ALLOWED_HOSTS": ",".join(_allowed_hosts(context.options.host)),
        "PUBLIC_URL": public_url,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "SECRET_KEY": context.credentials.secret_key,
        "DOWNLOAD_KEY": context.credentials.download_key,
        "DATABASE_URL": postgres.url(context),
        "REDIS_URL": redis.url(context),
        "STORE_ROOT": str(folder.store),
        "STATIC_ROOT": str(folder.static),
        "RELEASE": release,
        "TRUSTED_PROXIES": str(forwarding.trusted_proxies()),
        "PYTHONUNBUFFERED": "1",
        "SPILLWAY_DATA": str(folder.root),
    }


def _allowed_hosts(host: str) -> list[str]:
    """The operator's, or the likely ones; always this machine's: the proxy's own questions come to 127.0.0.1."""
    names = ["localhost", "127.0.0.1", "[::1]"]
    if given := os.environ.get("ALLOWED_HOSTS", "").replace(",", " ").split():
        return list(dict.fromkeys([*names, *given]))
    if host in {"0.0.0.0", "::"}:  # noqa: S104 (compared, not bound)
        names += [socket.gethostname(), *_own_addresses()]
    else:
        names.append(f"[{host}]" if ":" in host else host)
    return list(dict.fromkeys([*names, *filter(None, [forwarding.public_host()])]))


def _own_addresses() -> list[str]:
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(address[0]) for *_, address in found if ":" not in str(address[0])]


def _of_release(context: Context, release: str) -> tuple[str, Path, dict[str, str]]:
    """The Python, the folder and the environment in which the code of a release runs."""
    code = releases.code_of(context.folder, release)
    # The tool's own path must not come before the release's.
    env = environment(context, release) | {"PYTHONPATH": str(code)}
    return str(releases.python_of(code)), code, env


def manage_command(context: Context, release: str, arguments: Sequence[str], log_name: str) -> Command:
    """A management command, run by the code of a release."""
    python, code, env = _of_release(context, release)
    env |= {
        "ROLE": "manage", "INSTANCE": "manage", "ADMIN_PASSWORD": context.credentials.admin_password,
        OWNER_VARIABLE: str(context.folder.root),
    }  # fmt: skip
    return Command([python, str(code / "manage.py"), *arguments], env, code, context.folder.log(log_name))


def prepare_command(context: Context, release: str) -> Command:
    """Migrations, assets and the admin in one process: each interpreter costs a second."""
    return manage_command(context, release, ["prepare", "--admin-username", "admin"], "prepare")


def _command(
    context: Context, name: str, role: str, release: str, argv: Sequence[str], extra: dict[str, str]
) -> Command:
    python, code, env = _of_release(context, release)
    env |= {
        "ROLE": role,
        "INSTANCE": name,
        "RUN_DIR": str(context.folder.run(name)),
        OWNER_VARIABLE: str(context.folder.root),
        **extra,
    }
    return Command([python, "-m", *argv], env, code, context.folder.log(name))


def seconds_from_environment(name: str, default: float) -> float:
    try:
        return float(os.environ.get(name, default))
    except ValueError:
        return default


def web(context: Context, number: int, release: str) -> Service:
    """An instance. Its port may change from one start to the next: somebody may have taken the old one."""
    name = web_name(number)
    address = loopback(context.ports.claim(name))
    configuration = releases.code_of(context.folder, release) / "deploy" / "gunicorn.conf.py"
    argv = ["gunicorn", "-c", str(configuration), "project.wsgi:application"]
    drain = seconds_from_environment("DRAIN_SECONDS", _DRAIN_SECONDS)
    graceful = seconds_from_environment("GRACEFUL_SECONDS", _GRACEFUL_SECONDS)
    return Service(
        name=name,
        kind="web",
        command=_command(context, name, "web", release, argv, {"BIND": address}),
        ready=lambda: instance_readiness(address),
        live=lambda: instance_is_live(address),
        address=address,
        release=release,
        fast_stop_signal=signal.SIGINT,  # no drain: uploads commit and let go, what is in flight ends
        stop_limit_seconds=drain + graceful + 5.0,
    )


def worker(context: Context, number: int, release: str) -> Service:
    name = worker_name(number)
    argv = [
        "celery", "-q", "-A", "project", "worker", "-n", f"{name}@spillway", "--loglevel", "INFO",
        "--concurrency", str(min(os.cpu_count() or 1, 4)), "--without-gossip", "--without-mingle",
    ]  # fmt: skip
    # A worker, unlike beat, fills in %n and the like.
    made = _celery(context, name, "worker", release, argv, escape="%%")
    # Where it says its metrics; it answers nothing else.
    address = loopback(context.ports.claim(name))
    command = replace(made.command, env={**made.command.env, "METRICS_BIND": address})
    return replace(made, command=command, address=address)


def beat(context: Context, release: str) -> Service:
    schedule = context.folder.run(BEAT) / "schedule"
    argv = ["celery", "-q", "-A", "project", "beat", "-s", str(schedule), "--loglevel", "INFO"]
    return _celery(context, BEAT, "beat", release, argv)


def _celery(
    context: Context, name: str, kind: str, release: str, argv: Sequence[str], escape: str = "%"
) -> Service:
    """Celery answers no probe, but it writes its pid file once our code is imported and its settings are good."""
    pid_file = context.folder.run(name) / "pid"
    # Whoever wrote an old one is gone: its number may be another's by now, and Celery would refuse to start.
    pid_file.unlink(missing_ok=True)
    return Service(
        name=name,
        kind=kind,
        command=_command(
            context, name, kind, release, [*argv, "--pidfile", str(pid_file).replace("%", escape)], {}
        ),
        ready=when_true(pid_file.exists),
        release=release,
        stop_limit_seconds=_WORKER_STOP_SECONDS,
    )
