"""A Compose project under a steady load: whatever its operator does, and whatever happens to it, nobody notices."""

from collections.abc import Iterator

import pytest

from tests.docker.project import engine_missing
from tests.load.scenarios import SCENARIOS, play
from tests.load.sites import ComposeSite, compose_site


@pytest.fixture(scope="module")
def site() -> Iterator[ComposeSite]:
    """Of this module's own: its instances change their releases in the course of it."""
    if why := engine_missing():
        pytest.skip(f"no Docker engine: {why}")
    with compose_site() as made:
        yield made


@pytest.mark.parametrize("name", SCENARIOS)
def test_nobody_notices(site: ComposeSite, name: str) -> None:
    play(name, site).check()
