"""One fleet for the tests of this folder that have none of their own."""

from collections.abc import Iterator

import pytest

from tests.e2e.fleet import Fleet, fleet_running


@pytest.fixture(scope="package")
def running_fleet() -> Iterator[Fleet]:
    """Three instances behind Traefik."""
    with fleet_running() as fleet:
        yield fleet
        # After all that was done to it, it still ends as it should.
        fleet.down()
