"""Owns how a test makes, asks and removes a Compose project of docker-compose.yml, apart from any other one here."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import requests

from deploy.fleet.cli import main
from deploy.fleet.platforms.compose import env_file
from tests.e2e.fleet import CHECKOUT, free_port, wait_until

# What a test of many requests from one address needs, beside what `init` makes.
_FOR_TESTS = {
    "MIN_FREE_BYTES": "1",
    "THROTTLE_TRANSFER_CREATE": "100000/minute",
    "THROTTLE_LINK_OPEN": "100000/minute",
    # A few tries within a time that no slow machine outlasts.
    "THROTTLE_SIGN_IN": "4/hour",
}
# The tests' own settings must not leak into the project's: Compose prefers the environment to the file.
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "DOCKER_HOST", "DOCKER_CONFIG")
_UP_SECONDS = 300


def engine_missing() -> str | None:
    """Why no project can run here, None if one can."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            return f"`{' '.join(command)}` fails: {done.stderr.strip()[:200]}"
    return None


class Container:
    """One container, as the engine saw it when it was listed."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.id = str(told["Id"])
        self.name = str(told["Name"]).lstrip("/")
        self.image = str(told["Config"]["Image"])
        self.labels: dict[str, str] = told["Config"]["Labels"]
        self.running = bool(told["State"]["Running"])
        self.pid = int(told["State"]["Pid"])
        self.exit_code = int(told["State"]["ExitCode"])
        self.restarts = int(told["RestartCount"])

    @property
    def instance(self) -> str:
        """The name that a web instance goes by, in /readyz and X-Instance."""
        return self.id[:12]

    @property
    def health(self) -> str:
        """starting, healthy or unhealthy; "" for one without a check."""
        return str((self.told["State"].get("Health") or {}).get("Status", ""))

    @property
    def published(self) -> list[str]:
        """The addresses of this machine at which it can be reached."""
        ports = self.told["NetworkSettings"]["Ports"] or {}
        return [str(binding["HostIp"]) for bindings in ports.values() for binding in bindings or ()]

    def address(self, network: str = "front") -> str:
        """Its address on one of the project's networks, reachable from this machine; "" when it does not run."""
        networks = self.told["NetworkSettings"]["Networks"]
        return next((str(n["IPAddress"]) for name, n in networks.items() if name.endswith(f"_{network}")), "")


class Project:
    """A project with its own name, `.env`, port and volumes. `url` is where people would go."""

    def __init__(self, name: str = "", *, folder: Path | None = None, **settings: str) -> None:
        self.name = name or f"spillwaytest{os.getpid()}"
        self.folder = folder or Path(tempfile.mkdtemp(prefix="spillway-docker-"))
        self.env_file = self.folder / ".env"
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        assert main(["init", "--env-file", str(self.env_file)]) == 0
        own = {"COMPOSE_PROJECT_NAME": self.name, "IMAGE": self.name, "HTTP_PORT": str(self.port)}
        env_file.update(self.env_file, own | _FOR_TESTS | settings)

    @property
    def values(self) -> dict[str, str]:
        """What `.env` says now."""
        return env_file.read(self.env_file)

    @cached_property
    def release(self) -> str:
        """The release that was built first."""
        return self.values["RELEASE"]

    def environment(self) -> dict[str, str]:
        """For any command that works on this project, as it would in an operator's shell."""
        return {name: value for name, value in os.environ.items() if name in _KEPT}

    def run(
        self,
        argv: list[str],
        *,
        check: bool = True,
        timeout_seconds: float = _UP_SECONDS,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """A command in the checkout, in `environment` beside the usual. Fails the test with all that it said."""
        done = subprocess.run(
            argv, cwd=CHECKOUT, env=self.environment() | dict(environment or {}), capture_output=True,
            timeout=timeout_seconds, check=False,
        )  # fmt: skip
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        assert not check or done.returncode == 0, f"{argv}\n{out}\n{err}"
        return subprocess.CompletedProcess(argv, done.returncode, out, err)

    def compose(
        self, *arguments: str, check: bool = True, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`docker compose <arguments>` on this project."""
        argv = ["docker", "compose", "--env-file", str(self.env_file), *arguments]
        return self.run(argv, check=check, environment=environment)

    def build(self, release: str | None = None) -> str:
        """Make the image of a release out of the checkout as it is; returns its full name."""
        tag = release or self.release
        self.run(
            ["docker", "compose", "--env-file", str(self.env_file), "build", "--quiet"],
            timeout_seconds=900, environment={"RELEASE": tag},
        )  # fmt: skip
        return f"{self.name}:{tag}"

    def up(self, *arguments: str) -> None:
        """Start, or change, and wait until every container is healthy."""
        self.compose("up", "-d", "--no-build", "--wait", "--wait-timeout", str(_UP_SECONDS), *arguments)

    def down(self) -> None:
        """Remove containers, networks and volumes, of every profile; nothing is kept."""
        self.compose("--profile", "*", "down", "-v", "--remove-orphans", "--timeout", "20", check=False)

    def close(self) -> None:
        """The same, and the images and the folder with it."""
        self.down()
        images = self.run(["docker", "image", "ls", "-q", self.name], check=False).stdout.split()
        if images:
            self.run(["docker", "image", "rm", "-f", *set(images)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def containers(self, service: str | None = None, *, stopped: bool = False) -> list[Container]:
        """The project's, in the order of their names; only running ones unless `stopped`."""
        filters = [f"label=com.docker.compose.project={self.name}", "label=com.docker.compose.oneoff=False"]
        filters += [f"label=com.docker.compose.service={service}"] if service else []
        argv = ["docker", "ps", "-q", "--no-trunc", *(["-a"] if stopped else [])]
        ids = self.run([*argv, *(part for f in filters for part in ("--filter", f))]).stdout.split()
        # One may have gone between the two questions.
        told = self.run(["docker", "inspect", *ids], check=False).stdout if ids else "[]"
        return sorted((Container(one) for one in json.loads(told)), key=lambda c: c.name)

    def container(self, service: str) -> Container:
        """The only one of a service."""
        (found,) = self.containers(service, stopped=True)
        return found

    def inside(self, service: str, *argv: str, check: bool = True) -> str:
        """What a command says inside one of a service's containers; after a rollout the first has another number."""
        number = self.containers(service)[0].labels["com.docker.compose.container-number"]
        return self.compose("exec", "-T", "--index", number, service, *argv, check=check).stdout

    def forget_counts(self) -> None:
        """Empty Redis of what it counts: nobody has tried anything yet."""
        self.inside("redis", "redis-cli", "-n", "0", "flushdb")

    def kill(self, container: Container) -> None:
        """SIGKILL its first process from outside: for the engine it died, it was not stopped by anybody."""
        os.kill(container.pid, signal.SIGKILL)

    def known_to_proxy(self, service: str = "traefik") -> dict[str, str] | None:
        """The servers that Traefik sends to, by URL: UP or DOWN; {} without any, None if it does not answer."""
        url = f"http://{self.container(service).address()}:8082/api/http/services/web@docker"
        try:
            reply = requests.get(url, timeout=10)
        except requests.RequestException:
            return None
        return dict(reply.json().get("serverStatus") or {}) if reply.status_code == 200 else {}

    def routed(self) -> bool:
        """Whether every running web container is healthy and gets requests, and nobody else does."""
        running = self.containers("web")
        expected = {f"http://{c.address()}:8000": "UP" for c in running if c.health == "healthy"}
        return len(expected) == len(running) and self.known_to_proxy() == expected

    def wait_routed(self, count: int, *, seconds: float = 120) -> None:
        """Until so many web containers get requests."""
        wait_until(
            lambda: len(self.containers("web")) == count and self.routed(),
            seconds, f"{count} instances behind the proxy", every_seconds=0.3,
        )  # fmt: skip

    def logs(self, service: str) -> str:
        """Everything a service's containers have said."""
        done = self.compose("logs", "--no-color", service)
        return done.stdout + done.stderr
