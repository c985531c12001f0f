"""One fleet for the tests of this folder that have none of their own."""

from collections.abc import Iterator

import pytest

from tests.e2e.fleet import Fleet, fleet_running
from tests.e2e.telling import expect_silence


@pytest.fixture(scope="package")
def running_fleet() -> Iterator[Fleet]:
    """Three instances behind Traefik."""
    with fleet_running() as fleet:
        yield fleet
        expect_silence(fleet)
