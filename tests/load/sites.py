"""Owns how a scenario acts on a site, on either platform: as its operator would, by the same commands.

Releases differ from the one that runs by what is appended to one file, and by nothing else.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from deploy.fleet.platforms.compose.fleet import ComposeFleet
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.releases import code_of
from tests.docker.project import Project
from tests.e2e.fleet import CHECKOUT, Fleet, data_folder, wait_until

Kind = Literal["good", "crashing", "never-ready", "failing"]
READY_SECONDS = 120.0
_TOOL_SECONDS = 400.0
# One address asks for everything; a small disk is no reason to refuse it.
_FOR_LOAD = {
    "THROTTLE_TRANSFER_CREATE": "100000/minute",
    "THROTTLE_LINK_OPEN": "1000000/minute",
    "MIN_FREE_BYTES": "1",
}


@dataclass(frozen=True)
class Change:
    """What makes a release what it is: a file of the code, and what comes at its end."""

    file: str
    text: str


CHANGES: Mapping[Kind, Change] = {
    "good": Change("project/wsgi.py", "\n# Of another release.\n"),
    "crashing": Change("project/wsgi.py", "\nraise SystemExit('this release does not start')\n"),
    "never-ready": Change("apps/lifecycle/warmup.py", "\n\ndef start(*anything):\n    pass\n"),
    # Every page is made of this template.
    "failing": Change("templates/base.html", '\n{% include "not-there.html" %}\n'),
}


class Site(Protocol):
    """A running site of several web instances.

    - `instances` are those that serve, by name: release, and what tells one life of an instance from its next.
    - `tool` is `./spillway <arguments>` for a verb that works on a running fleet.
    - `make_release` makes a release that `rollout` can be told, and returns its name.
    - `scale` is the platform's plain way to change the number of instances; `wait_ready` waits until so many serve
      and are sent requests.
    - `stop_one` stops an instance as a machine that is shut down would, and returns once it has ended; `kill_one`
      ends one as a crash would. Both return its name.
    """

    name: str
    url: str
    port: int

    def instances(self) -> dict[str, tuple[str, str]]: ...

    def tool(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]: ...

    def make_release(self, kind: Kind) -> str: ...

    def scale(self, count: int) -> None: ...

    def wait_ready(self, count: int) -> None: ...

    def stop_one(self) -> str: ...

    def kill_one(self) -> str: ...


def releases(site: Site) -> list[str]:
    """The releases of all instances, in the order of their names."""
    return [release for release, _ in site.instances().values()]


# --- embedded ----------------------------------------------------------------------------------------------------


class _LoadedFleet(Fleet):
    """A fleet whose limits are not those of one person's address. Instances get their environment from `up`."""

    def up(self) -> None:
        command = [
            sys.executable, "-m", "deploy.fleet", "up", "--data", str(self.data), "--web", str(self.web),
            "--port", str(self.port), "--detach",
        ]  # fmt: skip
        kept = {
            name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}
        }
        done = subprocess.run(
            command,
            cwd=CHECKOUT,
            env=kept | _FOR_LOAD,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


class EmbeddedSite:
    """See Site."""

    name = "embedded"

    def __init__(self, data: Path, *, web: int = 3) -> None:
        self.fleet = _LoadedFleet(data, web=web)
        self.url = self.fleet.url
        self.port = self.fleet.port
        self._made = 0

    def instances(self) -> dict[str, tuple[str, str]]:
        found = self.fleet.instances()
        return {i["name"]: (str(i["release"]), str(i["pid"])) for i in found if i["state"] == "ready"}

    def tool(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.fleet.run(*arguments, check=check, timeout=_TOOL_SECONDS)

    def make_release(self, kind: Kind) -> str:
        self._made += 1
        name = f"{kind}-{self._made}"
        data = DataFolder(self.fleet.data)
        shutil.copytree(code_of(data, releases(self)[0]), code_of(data, name))
        change = CHANGES[kind]
        with (code_of(data, name) / change.file).open("a", encoding="utf-8") as file:
            file.write(change.text)
        return name

    def scale(self, count: int) -> None:
        self.tool("scale", f"web={count}")

    def wait_ready(self, count: int) -> None:
        # Asking costs an interpreter: on a machine that serves meanwhile not too often.
        wait_until(
            lambda: [i["state"] for i in self.fleet.instances()] == ["ready"] * count,
            READY_SECONDS, f"{count} instances are ready", every_seconds=1.0,
        )  # fmt: skip

    def stop_one(self) -> str:
        name, (_, life) = next(iter(self.instances().items()))
        os.kill(int(life), signal.SIGTERM)
        self._wait_for_another_life(name, life)
        return name

    def kill_one(self) -> str:
        name, (_, life) = next(iter(self.instances().items()))
        os.killpg(int(life), signal.SIGKILL)
        self._wait_for_another_life(name, life)
        return name

    def _wait_for_another_life(self, name: str, life: str) -> None:
        """The supervisor starts it again at once."""
        wait_until(
            lambda: self.instances().get(name, ("", life))[1] != life,
            READY_SECONDS, f"{name} has been started again", every_seconds=1.0,
        )  # fmt: skip


# --- compose -----------------------------------------------------------------------------------------------------


class ComposeSite:
    """See Site."""

    name = "compose"

    def __init__(self, project: Project) -> None:
        self.project = project
        self.url = project.url
        self.port = project.port
        self._made = 0
        self._images: list[str] = []

    def instances(self) -> dict[str, tuple[str, str]]:
        found = [c for c in self.project.containers("web") if c.health == "healthy"]
        return {c.name: (c.labels["spillway.release"], f"{c.id} {c.pid}") for c in found}

    def tool(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        verb, *rest = arguments
        platform = ["--platform", "compose", "--env-file", str(self.project.env_file)]
        return self.project.run(
            [sys.executable, "-m", "deploy.fleet", verb, *platform, *rest],
            check=check, timeout_seconds=_TOOL_SECONDS,
        )  # fmt: skip

    def make_release(self, kind: Kind) -> str:
        self._made += 1
        name = f"{kind}-{self._made}"
        change = CHANGES[kind]
        with tempfile.TemporaryDirectory() as context:
            (Path(context) / "end").write_text(change.text, encoding="utf-8")
            (Path(context) / "Dockerfile").write_text(
                _dockerfile(f"{self.project.name}:{self.project.release}", name, Path(change.file))
            )
            image = f"{self.project.name}:{name}"
            self.project.run(["docker", "build", "-q", "-t", image, context])
            self._images.append(image)
        return name

    def scale(self, count: int) -> None:
        self.project.up("--scale", f"web={count}")

    def wait_ready(self, count: int) -> None:
        self.project.wait_routed(count, seconds=READY_SECONDS)

    def stop_one(self) -> str:
        victim = self.project.containers("web")[0]
        self.project.run(["docker", "stop", victim.id])
        return victim.name

    def kill_one(self) -> str:
        victim = self.project.containers("web")[0]
        self.project.kill(victim)
        wait_until(
            lambda: any(
                c.id == victim.id and c.pid not in {0, victim.pid} for c in self.project.containers("web")
            ),
            READY_SECONDS, f"{victim.name} has been started again", every_seconds=0.5,
        )  # fmt: skip
        return victim.name

    def forget(self) -> None:
        """Remove the project's containers, what the tool remembers of it, and the releases made of its image."""
        self.project.down()
        shutil.rmtree(ComposeFleet(self.project.env_file).folder, ignore_errors=True)
        if self._images:
            # Before the image they were made of: that one cannot go while they are there.
            self.project.run(["docker", "image", "rm", "-f", *self._images], check=False)


def _dockerfile(image: str, release: str, file: Path) -> str:
    """The image's bytecode is never compared with its source: what changes has to be compiled again."""
    compiled = f" && rm -f {file.parent}/__pycache__/{file.stem}.*.pyc && python -m compileall -q {file}"
    return (
        f"FROM {image}\nUSER 0:0\nCOPY end /tmp/end\n"
        f"RUN cat /tmp/end >> {file} && rm /tmp/end{compiled if file.suffix == '.py' else ''}\n"
        f"USER 10001:10001\nENV RELEASE={release}\n"
    )


# --- both --------------------------------------------------------------------------------------------------------


@contextmanager
def embedded_site(*, web: int = 3) -> Iterator[EmbeddedSite]:
    """One in a folder of its own, of which nothing is left afterwards."""
    with data_folder() as data:
        site = EmbeddedSite(data, web=web)
        try:
            site.fleet.up()
            yield site
        finally:
            site.fleet.run("down", check=False)


@contextmanager
def compose_site() -> Iterator[ComposeSite]:
    """One of a project of its own, its image built from this checkout; nothing is left afterwards."""
    project = Project(f"spillwayload{os.getpid()}", folder=None, **_FOR_LOAD)
    site = ComposeSite(project)
    try:
        project.build()
        project.up()
        yield site
    finally:
        site.forget()
        project.close()
