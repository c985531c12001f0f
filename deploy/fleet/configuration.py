"""Owns what an operator may ask for and what is a mistake. Validates; starts and writes nothing."""

import re
from dataclasses import dataclass
from pathlib import Path

from deploy.fleet.errors import UsageError

WEB_MAX = 64
WORKERS_MAX = 64
DEFAULT_WEB = 3
DEFAULT_WORKERS = 1
DEFAULT_PORT = 8000
STORE_FILESYSTEM, STORE_S3 = STORES = ("filesystem", "s3")
DEFAULT_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Member:
    """One web instance or worker that shall run: its number, and which code it runs."""

    number: int
    release: str


@dataclass(frozen=True)
class Desired:
    """What shall run, which release the fleet is on, and which units the operator holds back (by name)."""

    web: tuple[Member, ...] = ()
    workers: tuple[Member, ...] = ()
    release: str = ""
    # The release before; "" if there was none.
    previous: str = ""
    # The scheduler's, which is exchanged last.
    beat: str = ""
    paused: tuple[str, ...] = ()
    # Where parts and blobs lie; "" if nothing was ever started.
    store: str = ""


def members(count: int, release: str) -> tuple[Member, ...]:
    """That many, numbered from 1."""
    return tuple(Member(number, release) for number in range(1, count + 1))


@dataclass(frozen=True)
class UpOptions:
    """Everything `up` was asked for."""

    data: Path
    web: int = DEFAULT_WEB
    workers: int = DEFAULT_WORKERS
    port: int = DEFAULT_PORT
    host: str = DEFAULT_HOST
    detach: bool = False
    # Where parts and blobs lie.
    store: str = STORE_FILESYSTEM

    @property
    def address(self) -> str:
        """What a person types into a browser on this machine."""
        return f"http://{_shown_host(self.host)}:{self.port}"

    @property
    def public_address(self) -> str:
        """host:port by which this machine itself reaches the proxy."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 (compared, not bound)
        return f"{host}:{self.port}"


def _shown_host(host: str) -> str:
    if host in {"127.0.0.1", "0.0.0.0", "::", "::1", "localhost"}:  # noqa: S104 (compared, not bound)
        return "localhost"
    return f"[{host}]" if ":" in host else host


def whole_number(text: str, *, name: str, least: int, most: int) -> int:
    """`text` as a number in [least, most], or a UsageError that names the option and the limits."""
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise UsageError(f"{name} must be a whole number from {least} to {most}, not {text!r}.")
    return value


def web_count(text: str) -> int:
    return whole_number(text, name="--web", least=1, most=WEB_MAX)


def worker_count(text: str) -> int:
    return whole_number(text, name="--workers", least=1, most=WORKERS_MAX)


def batch_size(text: str) -> int:
    return whole_number(text, name="--batch", least=1, most=WEB_MAX)


def percent(text: str) -> int:
    return whole_number(text, name="--canary", least=1, most=100)


def seconds(text: str) -> float:
    """A duration. Raises UsageError."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value <= 86_400.0:
        raise UsageError(f"A time must be a number of seconds, at most 86400, not {text!r}.")
    return value


def kind_and_count(text: str) -> tuple[str, int]:
    """`web=5`. Raises UsageError."""
    kind, _, count = text.partition("=")
    limits = {"web": (1, WEB_MAX), "worker": (0, WORKERS_MAX)}
    if kind not in limits or not count:
        raise UsageError(f"It is `spillway scale web=5` or `worker=2`, not {text!r}.")
    least, most = limits[kind]
    return kind, whole_number(count, name=kind, least=least, most=most)


def port_number(text: str) -> int:
    return whole_number(text, name="--port", least=1, most=65535)


def host_name(text: str) -> str:
    """An address or name to listen on; whether this machine has it shows when `up` tries it."""
    if not re.fullmatch(r"[0-9A-Za-z.:-]{1,253}", text):
        raise UsageError(f"--host must be an address or host name of this machine, not {text!r}.")
    return text.strip("[]")


def data_folder(text: str) -> Path:
    if not text.strip() or "\0" in text or "\n" in text:
        raise UsageError("--data must name a folder.")
    return Path(text).expanduser().absolute()
