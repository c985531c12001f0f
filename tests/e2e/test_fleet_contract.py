"""The embedded fleet keeps the contract of deploy.fleet.ports.Fleet."""

from collections.abc import Iterator

import pytest

from deploy.fleet.platforms.embedded.fleet import EmbeddedFleet
from deploy.fleet.ports import Fleet
from tests.contract.fleet import FleetContract
from tests.e2e.fleet import fleet_running


@pytest.fixture(scope="module")
def own_fleet() -> Iterator[Fleet]:
    """Two instances of its own: sizes and releases change."""
    with fleet_running(web=2) as made:
        yield EmbeddedFleet(made.data)


class TestEmbeddedFleet(FleetContract):
    @pytest.fixture
    def fleet(self, own_fleet: Fleet) -> Fleet:
        return own_fleet
