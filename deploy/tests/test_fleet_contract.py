"""The fleet in memory keeps the contract that the real ones keep: what is decided on it holds for them."""

from pathlib import Path

import pytest

from deploy.fleet.ports import Fleet
from deploy.tests.fleet_in_memory import Behaviour, FleetInMemory
from tests.contract.fleet import FleetContract


class TestFleetInMemory(FleetContract):
    every_seconds = 0.0

    @pytest.fixture
    def fleet(self, tmp_path: Path) -> Fleet:
        made = FleetInMemory.of(tmp_path, web=2)
        made.releases["checkout"] = Behaviour()
        return made
