"""One fleet for all tests that leave it as they found it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet, wait_until


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in these folders needs a fleet, or a browser besides."""
    here = Path(__file__).parent
    for item in items:
        if here / "e2e" in item.path.parents:
            item.add_marker(pytest.mark.e2e)
        if here / "browser" in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def running_fleet() -> Iterator[Fleet]:
    """Three instances behind Traefik, for the whole session."""
    folder = Path(tempfile.mkdtemp(prefix="spillway-e2e-"))
    folder.chmod(0o755)
    fleet = Fleet(folder / "data")
    try:
        fleet.up()
        yield fleet
        fleet.down()
    finally:
        fleet.run("down", check=False)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fleet(running_fleet: Fleet) -> Iterator[Fleet]:
    """The fleet, all instances ready before and after."""
    wait_until(running_fleet.ready, 30, "all instances ready")
    yield running_fleet
    wait_until(running_fleet.ready, 40, "all instances ready again")
