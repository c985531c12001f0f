"""Owns how a test talks to a fleet: through the same command line that operators use."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import redis
import requests

CHECKOUT = Path(__file__).resolve().parents[2]
_OF_EITHER_PLATFORM = {"status", "rollout", "rollback", "scale", "agent"}


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(
    question: Callable[[], object], seconds: float, what: str, *, every_seconds: float = 0.05
) -> float:
    """Ask until the answer is true; returns how long it took, in seconds. Fails with `what` after `seconds`."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if question():
            return time.monotonic() - began
        time.sleep(every_seconds)
    raise AssertionError(f"not within {seconds} s: {what}")


def _kept() -> dict[str, str]:
    """The tests' own settings must not leak into the fleet's."""
    return {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG", "TMPDIR"}}


class Fleet:
    """A fleet in a data folder of its own; `settings` are the site's, by their names, `options` are those of `up`."""

    def __init__(
        self,
        data: Path,
        *,
        web: int = 3,
        settings: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.data = data
        self.web = web
        self._environment = _kept() | dict(settings or {})
        self._options = options
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"

    def run(
        self, *arguments: str, check: bool = True, timeout: float = 180
    ) -> subprocess.CompletedProcess[str]:
        """`./spillway <arguments>` on this fleet's data folder."""
        done = subprocess.run(
            self._command(*arguments), cwd=CHECKOUT, env=self._environment, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def popen(self, *arguments: str) -> "subprocess.Popen[str]":
        """The same, going on; what it says is for the caller to read."""
        return subprocess.Popen(
            self._command(*arguments), cwd=CHECKOUT, env=self._environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def _command(self, *arguments: str) -> list[str]:
        verb, *rest = arguments
        # A checkout in which somebody runs Compose is no reason to look there.
        platform = ["--platform", "embedded"] if verb in _OF_EITHER_PLATFORM else []
        return [sys.executable, "-m", "deploy.fleet", verb, "--data", str(self.data), *platform, *rest]

    def up(self) -> None:
        """Start, and wait until everything is ready."""
        self.run("up", "--web", str(self.web), "--port", str(self.port), "--detach", *self._options)

    def down(self) -> None:
        """Stop everything."""
        self.run("down")

    def status(self) -> dict[str, list[dict[str, Any]]]:
        """What `status --json` says."""
        return dict(json.loads(self.run("status", "--json").stdout))

    @cached_property
    def environment(self) -> dict[str, str]:
        """What the fleet's own processes are told, such as where its database is."""
        code = "import json, os; print(json.dumps(dict(os.environ)))"
        return dict(json.loads(self.run("manage", "shell", "-v", "0", "-c", code).stdout.splitlines()[-1]))

    def instances(self) -> list[dict[str, Any]]:
        """The web instances."""
        return self.status()["instances"]

    def unit(self, name: str) -> dict[str, Any]:
        """One instance or service."""
        status = self.status()
        return next(u for u in status["instances"] + status["services"] if u["name"] == name)

    def ready(self) -> bool:
        """Whether all instances say so."""
        instances = self.instances()
        return len(instances) == self.web and all(i["state"] == "ready" for i in instances)

    def signal(self, name: str, number: signal.Signals) -> int:
        """Send a signal to a unit's main process; returns its pid."""
        pid = int(self.unit(name)["pid"])
        os.kill(pid, number)
        return pid

    def kill(self, name: str) -> int:
        """SIGKILL a unit with everything it started, as when a machine takes it away."""
        pid = int(self.unit(name)["pid"])
        os.killpg(pid, signal.SIGKILL)
        return pid

    def probe(self, address: str, path: str, timeout: float = 3.0) -> tuple[int, dict[str, Any]]:
        """Ask one instance directly: status and JSON; (0, {}) if it cannot be reached."""
        try:
            response = requests.get(f"http://{address}{path}", timeout=timeout)
            return response.status_code, dict(response.json())
        except (requests.RequestException, ValueError):
            return 0, {}

    def stop_all_processes(self, pid: int) -> None:
        """SIGSTOP a process and all its children: alive for the kernel, dead for everybody else."""
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            each.send_signal(signal.SIGSTOP)

    def redis(self) -> redis.Redis:
        """The fleet's own Redis, the database of sessions, cache and throttles."""
        return redis.Redis.from_url(self.environment["REDIS_URL"])


@contextmanager
def fleet_running(
    *, web: int = 3, settings: Mapping[str, str] | None = None, options: Sequence[str] = ()
) -> Iterator[Fleet]:
    """A fleet in a folder of its own, of which nothing is left after the block."""
    with data_folder() as data:
        fleet = Fleet(data, web=web, settings=settings, options=options)
        try:
            fleet.up()
            yield fleet
        finally:
            fleet.run("down", check=False)


@contextmanager
def data_folder() -> Iterator[Path]:
    """Where a fleet may keep its data until the block ends. PostgreSQL runs as another user when tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="spillway-fleet-"))
    folder.chmod(0o755)
    try:
        yield folder / "data"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
