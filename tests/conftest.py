"""One fleet for all tests of a folder that leave it as they found it; which tests need one; in which order they run.

A fleet goes before the next folder's tests begin: what one folder leaves in it is none of the other's business, and
what serves nobody takes a small machine's time from those that are looked at.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet, wait_until

_HERE = Path(__file__).parent
# What all tests of a folder share, by the fixture that starts it.
_SHARED = {"e2e": "running_fleet", "docker": "running_project"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in these folders needs a fleet, or a browser besides."""
    for item in items:
        for folder in ("e2e", "browser"):
            if _HERE / folder in item.path.parents:
                item.add_marker(folder)
    for folder, fixture in _SHARED.items():
        _alone_first(items, _HERE / folder, fixture)


def _alone_first(items: list[pytest.Item], folder: Path, fixture: str) -> None:
    """Tests with a fleet of their own come before those that share one: until then nobody has started it."""
    places = [place for place, item in enumerate(items) if folder in item.path.parents]
    chosen = sorted((items[place] for place in places), key=lambda item: fixture in _fixtures(item))
    for place, item in zip(places, chosen, strict=True):
        items[place] = item


def _fixtures(item: pytest.Item) -> list[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else []


@pytest.fixture
def fleet(running_fleet: Fleet) -> Iterator[Fleet]:
    """The fleet that a folder's tests share, all instances ready before and after."""
    wait_until(running_fleet.ready, 30, "all instances ready")
    yield running_fleet
    wait_until(running_fleet.ready, 40, "all instances ready again")
