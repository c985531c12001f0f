"""One site a store, for all tests here."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.protocol.site import Site, site_running


@pytest.fixture(scope="package")
def site_on() -> Iterator[Callable[[str], Site]]:
    """The site on a store, started when it is first asked for."""
    running: dict[str, Site] = {}
    with ExitStack() as stack:

        def site(store: str) -> Site:
            if store not in running:
                running[store] = stack.enter_context(site_running(store))
            return running[store]

        yield site
