"""Owns which loopback port each process listens on: chosen free, remembered, chosen again when taken."""

import errno
import random
import socket
import time
from contextlib import suppress
from pathlib import Path

from deploy.fleet.errors import PortTakenError
from deploy.fleet.storage import read_json, write_json

LOOPBACK = "127.0.0.1"
# Below the range the kernel takes for outgoing connections: no client can sit on a port while we restart.
_LOWEST, _HIGHEST = 20_000, 32_000
_TRIES = 500
_PATIENCE_SECONDS = 0.3


class PortBook:
    """Names to ports, kept in a file. `keep`: the fleet runs, so its ports are taken, by itself."""

    def __init__(self, path: Path, *, keep: bool = False) -> None:
        self._path = path
        self._ports: dict[str, int] = {k: v for k, v in read_json(path).items() if isinstance(v, int)}
        self._claimed: set[str] = set(self._ports) if keep else set()

    def claim(self, name: str) -> int:
        """The port of `name`, free at this moment: the remembered one unless somebody took it."""
        port = self._ports.get(name)
        if port is None or not _becomes_free(LOOPBACK, port):
            port = self._choose()
            self._ports[name] = port
            write_json(self._path, self._ports)
        return port

    def claim_once(self, name: str) -> int:
        """The same port for as long as this book is open: what others were told must stay true."""
        if name in self._claimed:
            return self._ports[name]
        self._claimed.add(name)
        return self.claim(name)

    def _choose(self) -> int:
        taken = set(self._ports.values())
        for _ in range(_TRIES):
            port = random.randint(_LOWEST, _HIGHEST)  # noqa: S311 (not a secret)
            if port not in taken and is_free(LOOPBACK, port):
                return port
        raise PortTakenError(f"No free port was found between {_LOWEST} and {_HIGHEST}.")


def _becomes_free(host: str, port: int) -> bool:
    """A process that was killed, or another that only tries as we do, lets go of its port a moment later."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while not is_free(host, port):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def is_free(host: str, port: int) -> bool:
    with suppress(OSError):
        _try_to_listen(host, port)
        return True
    return False


def _try_to_listen(host: str, port: int) -> None:
    """Listen for a moment, as a server would. Raises OSError (socket.gaierror for an unknown name)."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1)


def check_public_port(host: str, port: int) -> None:
    """Raises PortTakenError with what to do if we could not listen there."""
    try:
        if not _becomes_free(host, port):
            _try_to_listen(host, port)
    except OSError as error:
        raise PortTakenError(_why_not(host, port, error)) from error


def _why_not(host: str, port: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"This machine has no address {host}: choose another with --host."
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken by another program: stop it, or choose another port with --port."
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than you have: choose one above 1023 with --port."
    return f"Cannot listen on {host}:{port} ({error.strerror}): choose another with --host or --port."
