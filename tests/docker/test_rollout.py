"""Rollouts, ways back and changes of size by the fleet tool, on a real engine. Under more load: test_scenarios.py."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.docker.project import Project
from tests.docker.tool import Tool
from tests.e2e.load import Load

KINDS = ("web", "worker", "beat")


@pytest.fixture(scope="module")
def small(running_project: Project) -> Iterator[tuple[Project, Tool]]:
    """The project with two instances, which is enough, and the tool. Three again afterwards."""
    running_project.wait_routed(3)
    tool = Tool(running_project)
    try:
        tool.run("scale", "web=2")
        yield running_project, tool
        tool.run("scale", "web=3")
        running_project.wait_routed(3)
    finally:
        tool.close()


@pytest.fixture
def project(small: tuple[Project, Tool]) -> Iterator[Project]:
    """Two instances of the first release before and after."""
    made = small[0]
    made.wait_routed(2)
    yield made
    made.wait_routed(2)
    assert releases(made) == {made.release}


@pytest.fixture
def tool(small: tuple[Project, Tool]) -> Tool:
    return small[1]


@pytest.fixture
def second(project: Project) -> str:
    """Another release, of the same code."""
    project.run(["docker", "tag", f"{project.name}:{project.release}", f"{project.name}:second"])
    return "second"


def releases(project: Project) -> set[str]:
    """What runs, of any kind."""
    return {c.labels["spillway.release"] for kind in KINDS for c in project.containers(kind)}


def ids(project: Project) -> set[str]:
    """Every web, worker and beat container that is listed, the ended ones too."""
    return {c.id for kind in KINDS for c in project.containers(kind, stopped=True)}


@contextmanager
def reads(project: Project, *paths: str) -> Iterator[None]:
    """A few reads throughout the block, of which none may fail."""
    with Load(project.port, paths, clients=2, limit_seconds=300) as load:
        yield
    assert load.failed == {}
    assert load.served > 20


def test_a_rollout_whose_tool_is_killed_is_gone_on_with_by_the_same_command(
    project: Project, tool: Tool, second: str
) -> None:
    before = ids(project)
    with reads(project, "/", "/accounts/login/"):
        killed = tool.start("rollout", second)
        killed.wait_for("is told to stop")
        killed.signal(signal.SIGKILL)
        assert killed.end() == -signal.SIGKILL
        assert (tool.folder / "rollout.json").exists()
        said = tool.run("rollout", second)
    assert said[-1].startswith("second is rolled out in ")
    assert said[-1].endswith("requests answered meanwhile, 0 of them with an error.")
    assert releases(project) == {second}
    assert not before & ids(project)
    assert len(project.containers("web")) == 2
    assert (project.values["RELEASE"], project.values["PREVIOUS_RELEASE"]) == (second, project.release)
    assert not (tool.folder / "rollout.json").exists()
    tool.run("rollback")
    assert (project.values["RELEASE"], project.values["PREVIOUS_RELEASE"]) == (project.release, second)


def test_a_rollout_that_is_interrupted_can_be_taken_back(project: Project, tool: Tool, second: str) -> None:
    with reads(project, "/", "/accounts/login/"):
        running = tool.start("rollout", second)
        running.wait_for("is told to stop")
        running.signal(signal.SIGINT)
        assert running.end() == 130
        assert "Interrupted: the fleet serves, second is rolled out in part." in "\n".join(running.lines)
        assert releases(project) == {project.release, second}
        assert tool.run("rollback")[-1].startswith(f"{project.release} is rolled out in ")
    assert project.values["RELEASE"] == project.release
    assert not (tool.folder / "rollout.json").exists()


def test_a_release_without_an_image_is_refused(project: Project, tool: Tool) -> None:
    before, settings = ids(project), project.env_file.read_text()
    said = tool.run("rollout", "nowhere", code=1)
    assert said == [
        f"spillway: There is no image {project.name}:nowhere: "
        "build it from its checkout, or pull it, then try again."
    ]
    assert ids(project) == before
    assert project.env_file.read_text() == settings
    assert not (tool.folder / "rollout.json").exists()


def test_a_change_of_size_fails_no_request_and_lasts(project: Project, tool: Tool) -> None:
    before = {c.id for c in project.containers("web")}
    with reads(project, "/", "/accounts/login/"):
        assert tool.run("scale", "web=3", "worker=2")[-1].startswith("3 instances and 2 workers run (")
        assert (len(project.containers("web")), len(project.containers("worker"))) == (3, 2)
        assert (project.values["WEB_REPLICAS"], project.values["WORKER_REPLICAS"]) == ("3", "2")
        assert tool.run("scale", "web=2", "worker=1")[-1].startswith("2 instances and 1 worker run (")
    assert (project.values["WEB_REPLICAS"], project.values["WORKER_REPLICAS"]) == ("2", "1")
    assert (len(project.containers("web")), len(project.containers("worker"))) == (2, 1)
    assert before & {c.id for c in project.containers("web")}, "nobody was to be replaced"


def test_status_tells_programs_and_people_what_runs(project: Project, tool: Tool) -> None:
    told = json.loads("\n".join(tool.run("status", "--json")))
    web = {c.name: c for c in project.containers("web")}
    assert {unit["name"]: unit["address"] for unit in told["instances"]} == {
        name: f"{c.address()}:8000" for name, c in web.items()
    }
    assert {(unit["state"], unit["release"]) for unit in told["instances"]} == {("ready", project.release)}
    assert {unit["pid"] for unit in told["instances"]} == {c.pid for c in web.values()}
    names = {unit["name"] for unit in told["services"]}
    assert {f"{project.name}-{service}-1" for service in ("traefik", "db", "redis", "files")} <= names
    said = tool.run("status")
    assert said[0] == f"Spillway ready at {project.url}, release {project.release}"
    rows = {line.split()[0]: line.split() for line in said if line.strip()}
    for name in web:
        assert rows[name][1:3] == [project.release, "ready"]
        assert rows[name][-1] == "yes", "the proxy sends to it"
    assert said[-1].startswith("Waiting for a worker: ")
