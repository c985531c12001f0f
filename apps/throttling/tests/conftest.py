"""Fixtures of the throttles' tests: counters that no other test has touched."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from apps.throttling import counters
from apps.throttling.tests.own_redis import OwnRedis


@pytest.fixture
def own_redis(settings: Settings) -> Iterator[OwnRedis]:
    """A Redis of this test alone, which the throttles count in."""
    server = OwnRedis()
    server.start()
    settings.CACHE_URL = server.url
    counters.forget()
    yield server
    server.stop()
    counters.forget()
