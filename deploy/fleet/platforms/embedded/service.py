"""Owns the shape of one thing the embedded platform runs, and what all of them share. Starts nothing."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.configuration import UpOptions
from deploy.fleet.platforms.embedded.credentials import Credentials
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.network_ports import LOOPBACK, PortBook
from deploy.fleet.probes import Answer
from deploy.fleet.processes import OWNER_VARIABLE, Command

Probe = Callable[[], Answer]


@dataclass(frozen=True)
class Context:
    """What every service is made from."""

    folder: DataFolder
    credentials: Credentials
    ports: PortBook
    options: UpOptions
    release: str
    # False only for throw-away data: tests need no fsync.
    durable: bool = True


@dataclass(frozen=True)
class Service:
    """One process group: how to start it, ask it, and stop it.

    `ready` is asked a few times a second; `live`, where there is one, once a second: a unit that fails it three
    times in a row is killed. `fast_stop_signal` stops it without a drain, for when the whole fleet goes.
    """

    name: str
    kind: str
    command: Command
    ready: Probe
    address: str | None = None
    live: Callable[[], bool] | None = None
    release: str | None = None
    stop_signal: int = signal.SIGTERM
    fast_stop_signal: int = signal.SIGTERM
    stop_limit_seconds: float = 10.0
    start_limit_seconds: float = 60.0


def loopback(port: int) -> str:
    return f"{LOOPBACK}:{port}"


def plain_environment(context: Context) -> dict[str, str]:
    """For servers that are not ours: a locale, a path, and whose they are."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        OWNER_VARIABLE: str(context.folder.root),
    }


def answer_if(ready: bool) -> Answer:
    return Answer(InstanceState.READY if ready else InstanceState.STARTING)


def when_true(question: Callable[[], bool]) -> Probe:
    return lambda: answer_if(question())
