"""A fleet of containers, part by part: Compose starts them, docker stops them, the instances drain by themselves."""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.checkout import ROOT, home
from deploy.fleet.errors import FleetError, NotRunningError, ReleaseError
from deploy.fleet.holding import held
from deploy.fleet.migrations import last_line, refusals_told
from deploy.fleet.platforms.compose import commands, env_file
from deploy.fleet.platforms.compose.containers import (
    KINDS,
    PROXIES,
    STATUS_PORT,
    WEB_PORT,
    Container,
    Identity,
    container_of,
)
from deploy.fleet.platforms.embedded.release import release_of
from deploy.fleet.ports import Observation, Seen
from deploy.fleet.probes import http_get, instance_readiness, instance_report, listens
from deploy.fleet.processes import run, run_on
from deploy.fleet.routes import servers_up

DEFAULT_PROJECT = "spillway"
_API_PATH = "/api/http/services/web@docker"
_DOCKER_SECONDS = 60.0
_START_SECONDS = 180.0
_MANAGE_SECONDS = 900.0
_BUILD_SECONDS = 1800.0
# Drain, requests in flight, and a little: the compose file's grace periods say the same.
_STOP_SECONDS = {"web": 45, "worker": 60}
_REPLICAS = {"web": "WEB_REPLICAS", "worker": "WORKER_REPLICAS"}


class ComposeFleet:
    """See deploy.fleet.ports.Fleet."""

    name = "compose"
    heals_itself = False

    def __init__(self, file: Path) -> None:
        self._env_file = file.absolute()
        name = os.environ.get("COMPOSE_PROJECT_NAME") or self._settings().get("COMPOSE_PROJECT_NAME")
        self._project = commands.Project(name or DEFAULT_PROJECT, self._env_file)
        # Web containers that were seen to serve.
        self._served: set[Identity] = set()

    def _settings(self) -> dict[str, str]:
        return env_file.read(self._env_file) if self._env_file.is_file() else {}

    @property
    def folder(self) -> Path:
        folder = home() / ".spillway" / "compose" / self._project.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def runs(self) -> bool:
        """Whether there is such a project with anything in it that runs. Without settings there is none."""
        if not self._env_file.is_file():
            return False
        try:
            return any(container.runs for container in self._containers(("web",)))
        except (FleetError, OSError):
            return False

    # --- running docker --------------------------------------------------------------------------------------

    def _run(self, argv: Sequence[str], limit_seconds: float, release: str | None = None) -> tuple[int, str]:
        env = dict(os.environ) | ({"RELEASE": release} if release else {})
        try:
            return run(argv, env=env, cwd=ROOT, limit_seconds=limit_seconds)
        except FileNotFoundError:
            raise FleetError(
                "There is no `docker` on this machine: install Docker Engine with Compose v2."
            ) from None

    def _must(self, argv: Sequence[str], limit_seconds: float, what: str, release: str | None = None) -> str:
        code, said = self._run(argv, limit_seconds, release)
        if code:
            raise why_docker_failed(said) or FleetError(f"{what}: {last_line(said)}", log_tail=_tail(said))
        return said

    def _containers(self, services: Sequence[str] = ()) -> list[Container]:
        ids = self._must(
            self._project.containers(*services), _DOCKER_SECONDS, "Docker cannot be asked"
        ).split()
        if not ids:
            return []
        # One may go between the two questions: what is said of the others counts.
        _, said = self._run(commands.inspect(ids), _DOCKER_SECONDS)
        told = json.loads(said[said.index("[") : said.rindex("]") + 1])
        now = datetime.now(UTC)
        return sorted((container_of(each, now) for each in told), key=lambda container: container.name)

    # --- looking ---------------------------------------------------------------------------------------------

    def look(self) -> Observation:
        containers = self._containers()
        if not any(container.runs for container in containers):
            raise NotRunningError("Nothing is running: `docker compose up -d` starts everything.")
        proxies = [c for c in containers if c.service in PROXIES and c.runs and c.ip]
        # What has ended by somebody's hand is no part of the fleet; what crashes is started again and again by Docker.
        parts = [c for c in containers if c.service not in KINDS or c.state is not InstanceState.STOPPED]
        self._served &= {container.identity for container in parts}
        with ThreadPoolExecutor(max_workers=16) as pool:
            up = list(pool.map(_servers_up, proxies))
            units = list(pool.map(lambda container: _seen(container, up, self._served), parts))
        return Observation(phase="ready", address=self._address(), release=self.current(), units=units)

    def _address(self) -> str:
        settings = self._settings()
        return settings.get("PUBLIC_URL") or f"http://localhost:{settings.get('HTTP_PORT') or 8000}"

    def current(self) -> str:
        release = self._settings().get("RELEASE")
        if not release:
            raise NotRunningError(f"{self._env_file} names no RELEASE: run `spillway init` first.")
        return release

    def previous(self) -> str | None:
        return self._settings().get("PREVIOUS_RELEASE") or None

    # --- releases --------------------------------------------------------------------------------------------

    def fetch(self, release: str | None) -> str:
        own = release_of(ROOT)
        name = release or own
        image = f"{self._settings().get('IMAGE') or 'spillway'}:{name}"
        if self._run(commands.image_exists(image), _DOCKER_SECONDS)[0] == 0:
            return name
        if name == own:
            self._must(self._project.build(), _BUILD_SECONDS, f"{image} could not be built", name)
        elif "/" not in image or self._run(commands.pull(image), _BUILD_SECONDS)[0]:
            raise ReleaseError(
                f"There is no image {image}: build it from its checkout, or pull it, then try again."
            )
        return name

    def refusals(self, release: str) -> list[str]:
        argv = self._project.manage("check_migrations", "--json")
        return refusals_told(release, *self._run(argv, _MANAGE_SECONDS, release))

    def migrate(self, release: str) -> None:
        code, said = self._run(self._project.prepare(), _MANAGE_SECONDS, release)
        if code:
            raise ReleaseError(f"The database could not be prepared for {release}: {last_line(said)}")

    def adopt(self, release: str) -> None:
        before = self.current()
        if before != release:
            env_file.update(self._env_file, {"RELEASE": release, "PREVIOUS_RELEASE": before})

    # --- units -----------------------------------------------------------------------------------------------

    def start(self, kind: str, release: str) -> str:
        if kind == "beat":
            self._must(self._project.anew("beat"), _START_SECONDS, "beat could not be exchanged", release)
            return self._containers(("beat",))[0].name
        before = self._containers((kind,))
        for ended in [container for container in before if container.state is InstanceState.STOPPED]:
            # Compose would start it again rather than make a new one.
            self._run(commands.remove(ended.name), _DOCKER_SECONDS)
        known = {container.name for container in before if container.state is not InstanceState.STOPPED}
        argv = self._project.one_more(kind, len(known) + 1)
        code, said = self._run(argv, _START_SECONDS, release)
        names = {container.name for container in self._containers((kind,))}
        if code and known - names:
            # One that drained vanished between Compose's look and its deed. Nothing is wrong with the new one.
            return self.start(kind, release)
        if code:
            raise FleetError(
                f"No {kind} of {release} could be started: {last_line(said)}", log_tail=_tail(said)
            )
        new = sorted(names - known)
        if not new:
            raise FleetError(f"Compose started no {kind}.")
        return new[0]

    def stop(self, name: str) -> None:
        kind = "worker" if "-worker-" in name else "web"
        run_on(commands.stop_and_remove(name, _STOP_SECONDS[kind]), cwd=ROOT)

    def kill(self, name: str) -> None:
        self._run(commands.remove(name), _DOCKER_SECONDS)

    def resize(self, kind: str, count: int) -> None:
        env_file.update(self._env_file, {_REPLICAS[kind]: str(count)})

    def alone(self, what: str) -> AbstractContextManager[None]:
        return held(self.folder / "fleet.lock", what)


def why_docker_failed(said: str) -> FleetError | None:
    """What to do when it is the engine that cannot be talked to, whatever was asked of it."""
    text = said.lower()
    if "permission denied" in text and "docker" in text:
        return FleetError("You may not talk to Docker: join its group (`docker`), or use sudo.")
    if "cannot connect to the docker daemon" in text or "is the docker daemon running" in text:
        return FleetError("Docker does not run, or not where DOCKER_HOST says: start it, then try again.")
    return None


def _tail(said: str) -> list[str]:
    return said.strip().splitlines()[-10:]


def _servers_up(proxy: Container) -> set[str] | None:
    try:
        status, body = http_get(f"{proxy.ip}:{STATUS_PORT}", _API_PATH)
        return servers_up(body) if status == 200 else None
    except (OSError, HTTPException):
        return None


def _seen(container: Container, up: Sequence[set[str] | None], served: set[Identity]) -> Seen:
    kind = container.service if container.service in KINDS else "service"
    seen = Seen(
        name=container.name, kind=kind, pid=container.pid, address=None, release=container.release,
        state=container.state, restarts=container.restarts, age_seconds=container.age_seconds,
    )  # fmt: skip
    if kind != "web" or not container.runs or not container.ip:
        return seen
    address = f"{container.ip}:{WEB_PORT}"
    known = [urls for urls in up if urls is not None]
    answer = instance_readiness(address)
    return replace(
        seen,
        address=address,
        state=_state(container, address, answer.state, served),
        why=answer.why,
        report=instance_report(address),
        routed=all(f"http://{address}" in urls for urls in known) if known else None,
    )


def _state(container: Container, address: str, state: InstanceState, served: set[Identity]) -> InstanceState:
    """The instance's own word, `state`. But one that has said more than that it starts, and listens no more, is ending.

    It is remembered here: Docker calls `unhealthy` what drains and what was never ready alike.
    """
    if state is not InstanceState.STARTING or container.health == "healthy":
        served.add(container.identity)
    if state is InstanceState.STARTING and container.identity in served and not listens(address):
        return InstanceState.DRAINING
    return state
