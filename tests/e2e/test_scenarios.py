"""A site of processes under a steady load: whatever its operator does, and whatever happens to it, nobody notices."""

from collections.abc import Iterator

import pytest

from tests.load.scenarios import SCENARIOS, play
from tests.load.sites import EmbeddedSite, embedded_site


@pytest.fixture(scope="module")
def site() -> Iterator[EmbeddedSite]:
    """Of this module's own: its instances change their names and releases in the course of it."""
    with embedded_site() as made:
        yield made


@pytest.mark.parametrize("name", SCENARIOS)
def test_nobody_notices(site: EmbeddedSite, name: str) -> None:
    play(name, site).check()
