"""The embedded fleet keeps the contract of deploy.fleet.ports.Fleet."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.fleet.platforms.embedded.fleet import EmbeddedFleet
from deploy.fleet.ports import Fleet
from tests.contract.fleet import FleetContract
from tests.e2e import fleet as e2e


@pytest.fixture(scope="module")
def own_fleet() -> Iterator[Fleet]:
    """Two instances of its own: sizes and releases change."""
    folder = Path(tempfile.mkdtemp(prefix="spillway-e2e-"))
    folder.chmod(0o755)
    made = e2e.Fleet(folder / "data", web=2)
    try:
        made.up()
        yield EmbeddedFleet(made.data)
    finally:
        made.run("down", check=False)
        shutil.rmtree(folder, ignore_errors=True)


class TestEmbeddedFleet(FleetContract):
    @pytest.fixture
    def fleet(self, own_fleet: Fleet) -> Fleet:
        return own_fleet
