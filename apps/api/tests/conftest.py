"""The cast: Alice sends from programs, Charlie is somebody else, and each has tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

if TYPE_CHECKING:
    from apps.accounts.models import User
    from apps.api.tests.program import Program


def _person(name: str) -> User:
    from apps.accounts.models import User

    return User.objects.create_user(name, f"{name}@example.com", "correct horse", first_name=name.title())


def _program(user: User, scope: str) -> Program:
    from apps.accounts.rules import TokenScope
    from apps.accounts.tokens import api_token_create
    from apps.api.tests.program import Program

    token, secret = api_token_create(user=user, name=f"{scope} of {user.username}", scope=TokenScope(scope))
    return Program(Client(), user, token, secret)


@pytest.fixture
def alice(db: None) -> User:
    return _person("alice")


@pytest.fixture
def charlie(db: None) -> User:
    return _person("charlie")


@pytest.fixture
def program(alice: User) -> Program:
    """Alice's, which may write."""
    return _program(alice, "write")


@pytest.fixture
def reader(alice: User) -> Program:
    """Alice's, which may only read."""
    return _program(alice, "read")


@pytest.fixture
def stranger(charlie: User) -> Program:
    """Charlie's, which may write."""
    return _program(charlie, "write")


@pytest.fixture
def sent(alice: User) -> Any:
    """A transfer of Alice's."""
    from apps.transfers.services import transfer_create
    from apps.transfers.tests.cast import Sent

    return Sent(*transfer_create(owner=alice, title="Holiday", message="See you"))
