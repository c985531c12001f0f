"""The cast: Alice has an account, Sam is staff, Ada is the administrator. And a Redis that a test may stop.

No model is imported while this module is: pytest reads it before Django is set up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth import get_user_model
from pytest_django import Settings

from apps.throttling import counters
from apps.throttling.tests.own_redis import OwnRedis

if TYPE_CHECKING:
    from apps.accounts.models import User

PASSWORD = "correct horse battery staple"


@pytest.fixture
def alice(db: None) -> User:
    return get_user_model().objects.create_user("alice", "alice@example.org", PASSWORD)


@pytest.fixture
def sam(db: None) -> User:
    return get_user_model().objects.create_user("sam", "sam@example.org", PASSWORD, is_staff=True)


@pytest.fixture
def ada(db: None) -> User:
    return get_user_model().objects.create_superuser("ada", "ada@example.org", PASSWORD)


@pytest.fixture
def own_redis(settings: Settings) -> Iterator[OwnRedis]:
    """A Redis of this test alone, for sessions, cache and throttles."""
    server = OwnRedis()
    server.start()
    settings.CACHE_URL = server.url
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": server.url}}
    counters.forget()
    yield server
    server.stop()
    counters.forget()
