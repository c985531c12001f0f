"""Owns how `docker inspect` is read: which unit a container is, and how it is. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.platforms.compose.commands import RELEASE_LABEL, SERVICE_LABEL

KINDS = ("web", "worker", "beat")
PROXIES = ("traefik", "traefik-tls")
WEB_PORT = 8000
STATUS_PORT = 8082
_FRONT = "front"
# Compose makes a container and starts it; one that it was kept from starting is never started by anybody.
_CREATED_SECONDS = 60.0

# Name and process.
Identity = tuple[str, int | None]


@dataclass(frozen=True)
class Container:
    """One container of the project. `ip` is its address in the network of the proxy, "" if it has none."""

    name: str
    service: str
    release: str | None
    status: str
    health: str
    pid: int | None
    ip: str
    restarts: int
    age_seconds: float | None

    @property
    def runs(self) -> bool:
        return self.status in {"running", "restarting"}

    @property
    def state(self) -> InstanceState:
        """As far as Docker knows; a web instance is asked itself."""
        if self.status == "running":
            healthy = self.health in {"healthy", "none"}
            return InstanceState.READY if healthy else InstanceState.STARTING
        forgotten = self.status == "created" and (self.age_seconds or 0.0) > _CREATED_SECONDS
        starts = self.status in {"created", "restarting"} and not forgotten
        return InstanceState.STARTING if starts else InstanceState.STOPPED

    @property
    def identity(self) -> Identity:
        """Another one after every restart."""
        return self.name, self.pid


def container_of(told: Mapping[str, Any], now: datetime) -> Container:
    """From one element of what `docker inspect` prints."""
    labels, state = told["Config"].get("Labels") or {}, told["State"]
    return Container(
        name=told["Name"].lstrip("/"),
        service=labels.get(SERVICE_LABEL, ""),
        release=labels.get(RELEASE_LABEL),
        status=state["Status"],
        health=(state.get("Health") or {}).get("Status", "none"),
        pid=state.get("Pid") or None,
        ip=_ip(told["NetworkSettings"].get("Networks") or {}),
        restarts=told.get("RestartCount", 0),
        age_seconds=_seconds_since(told["Created"], now),
    )


def _ip(networks: Mapping[str, Any]) -> str:
    for name, network in networks.items():
        if name.endswith(_FRONT):
            return str(network.get("IPAddress") or "")
    return ""


def _seconds_since(text: str, now: datetime) -> float | None:
    """Of Docker's times: RFC 3339 with nanoseconds, in UTC."""
    try:
        then = datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)
    except ValueError:
        return None
    return max(0.0, (now - then).total_seconds())
