"""One project for all tests of this folder, which leave it as they found it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.project import Project, engine_missing


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a Docker engine."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="package")
def running_project() -> Iterator[Project]:
    """Three instances and all they need, from an image built for these tests."""
    if why := engine_missing():
        pytest.skip(f"no Docker engine: {why}")
    made = Project()
    try:
        made.build()
        made.up()
        yield made
    finally:
        made.close()


@pytest.fixture
def project(running_project: Project) -> Iterator[Project]:
    """The project, with three instances behind the proxy before and after."""
    running_project.wait_routed(3)
    yield running_project
    running_project.wait_routed(3)
