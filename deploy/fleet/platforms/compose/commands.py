"""Owns the argument lists for docker and docker compose. Pure: runs nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.fleet.checkout import ROOT

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
RELEASE_LABEL = "spillway.release"


@dataclass(frozen=True)
class Project:
    """Which Compose project, and where its settings are."""

    name: str
    env_file: Path

    def compose(self, *arguments: str) -> list[str]:
        return [
            "docker", "compose", "--project-name", self.name, "--project-directory", str(ROOT),
            "--file", str(ROOT / "docker-compose.yml"), "--env-file", str(self.env_file), "--progress", "quiet",
            *arguments,
        ]  # fmt: skip

    def build(self) -> list[str]:
        return self.compose("build", "web")

    def one_more(self, service: str, count: int) -> list[str]:
        """Make it `count` containers, and touch none that is there: those may be of another release."""
        return self.compose(
            "up",
            "--detach",
            "--no-deps",
            "--no-recreate",
            "--no-build",
            "--scale",
            f"{service}={count}",
            service,
        )

    def anew(self, service: str) -> list[str]:
        """Replace the service's only container: the old one is stopped first."""
        return self.compose("up", "--detach", "--no-deps", "--no-build", "--force-recreate", service)

    def prepare(self) -> list[str]:
        """What the one-shot `migrate` does, in a container of its own."""
        return self.compose("run", "--rm", "--no-deps", "-T", "migrate")

    def manage(self, *arguments: str) -> list[str]:
        return self.compose("run", "--rm", "--no-deps", "-T", "migrate", "python", "manage.py", *arguments)

    def containers(self, *services: str) -> list[str]:
        """The ids of the project's containers, the ended ones too, but for those of `run`."""
        wanted = [f"label={PROJECT_LABEL}={self.name}", "label=com.docker.compose.oneoff=False"]
        wanted += [f"label={SERVICE_LABEL}={service}" for service in services]
        return ["docker", "ps", "--all", "--quiet", *(part for one in wanted for part in ("--filter", one))]


def inspect(ids: Sequence[str]) -> list[str]:
    return ["docker", "inspect", "--type", "container", *ids]


def image_exists(image: str) -> list[str]:
    return ["docker", "image", "inspect", "--format", "{{.Id}}", image]


def pull(image: str) -> list[str]:
    return ["docker", "pull", "--quiet", image]


def stop_and_remove(name: str, limit_seconds: int) -> list[str]:
    """SIGTERM, SIGKILL after the limit, then away with it: one command, so that it ends without us too."""
    script = 'docker stop --time "$1" "$2" && docker rm --force "$2"'
    return ["sh", "-c", script, "sh", str(limit_seconds), name]


def remove(name: str) -> list[str]:
    return ["docker", "rm", "--force", name]
