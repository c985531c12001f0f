"""Owns what `bench upload` and `bench slow` stand on: a fleet, and what it is measured beside. Measures nothing."""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deploy.fleet.platforms.embedded.network_ports import is_free
from tests.bench import contenders
from tests.bench.client import Target
from tests.bench.contenders import Started
from tests.bench.fleet import Fleet


class Stage:
    """A fleet that runs, and whatever was started beside it; all of it ends with `cleanup`."""

    def __init__(self, folder: Path, cleanup: ExitStack, *, web: int) -> None:
        self.folder = folder
        self.fleet = Fleet(folder / "data", self._port(), web=web)
        self.started: dict[str, Started] = {}
        self._cleanup = cleanup
        self._began = time.monotonic()
        cleanup.callback(self.fleet.down)
        self.say("starting a fleet")
        self.fleet.up()
        # Assembling would take the processors from the next measurement; the peer does not assemble.
        self.fleet.stop("worker-1")

    def _port(self) -> int:
        return next(port for port in range(17_000, 19_990) if is_free("127.0.0.1", port))

    def say(self, what: str) -> None:
        print(f"{self.seconds():6.1f} s  {what}", file=sys.stderr, flush=True)

    def seconds(self) -> float:
        """Since all of it began."""
        return time.monotonic() - self._began

    def add(self, name: str, started: Started) -> Started:
        self.started[name] = started
        self._cleanup.callback(started.stop)
        return started

    def start_instance(self, name: str, *, fsync: bool, **settings: str) -> Started:
        """One that only requests with the header of `X-Bench` reach."""
        return self.add(
            name, contenders.start_instance(self.fleet, name, self._port(), fsync=fsync, **settings)
        )

    def start_nginx(self) -> None:
        """The one that takes a PUT, and keeps chunks for the adopter."""
        folder = self.folder / "limit"
        adopter = self.add("adopter", contenders.start_adopter(folder, self._port()))
        self.add("nginx", contenders.start_limit(folder, self._port(), adopter=adopter.address))

    def start_peer(self) -> None:
        """The Node server. Raises StartFailedError."""
        files = self.folder / "peer-files"
        files.mkdir()
        contenders.install_peer(self.folder / "peer")
        self.add("peer", contenders.start_peer(self.folder / "peer", files, self._port()))

    def route(self, unsynced: list[str]) -> dict[str, Target]:
        """Let all that was started be reached through the fleet's Traefik."""
        peer = self.started.get("peer")
        nginx = self.started["nginx"].address
        self.fleet.route(contenders.routes(unsynced, peer.address if peer else None, nginx))
        return contenders.targets(self.fleet, nginx)

    def pids(self) -> Mapping[str, int]:
        """The root process of everything, by its name."""
        units = {name: unit["pid"] for name, unit in self.fleet.units().items() if unit["pid"]}
        return units | {name: started.child.pid for name, started in self.started.items()}


@contextmanager
def stage(*, web: int) -> Iterator[Stage]:
    """Nothing of it is left running or lying about."""
    with ExitStack() as cleanup:
        folder = Path(tempfile.mkdtemp(prefix="spillway-bench-"))
        # PostgreSQL runs as another user when we are root, and must be able to reach its folder.
        folder.chmod(0o711)
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        yield Stage(folder, cleanup, web=web)
