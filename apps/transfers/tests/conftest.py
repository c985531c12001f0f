"""Owns the cast of these tests: Alice sends, Bob receives, Charlie is an outsider.

Models are imported inside the fixtures: this module is read before Django is set up.
"""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as site
from django.test import Client
from redis import Redis


@pytest.fixture
def alice(db: None) -> Any:
    """The sender, when she has an account."""
    from apps.accounts.models import User

    return User.objects.create_user(
        "alice", "alice@example.com", "correct horse", first_name="Alice", last_name="Ames"
    )


@pytest.fixture
def alices(alice: Any) -> Client:
    """The browser in which Alice is signed in."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    return client


@pytest.fixture
def send(db: None) -> Callable[..., Any]:
    """Makes a transfer of Alice's with any choices."""
    from apps.transfers.services import transfer_create
    from apps.transfers.tests.cast import Sent

    def make(**choices: Any) -> Any:
        return Sent(*transfer_create(**{"owner": None, **choices}))

    return make


@pytest.fixture
def sent(send: Callable[..., Any]) -> Any:
    """A transfer without a password or limit."""
    return send(title="Holiday", message="See you")


@pytest.fixture
def bob() -> Client:
    """The recipient's browser: it checks forms as a real one would be checked."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def charlie() -> Client:
    """An outsider at another address."""
    return Client(enforce_csrf_checks=True, headers={"X-Forwarded-For": "198.51.100.7"})


@pytest.fixture
def doorbell() -> Iterator[Callable[[], list[tuple[str, Any]]]]:
    """Reads what was really enqueued: (task, arguments) of each message at the broker."""
    with Redis.from_url(site.BROKER_URL) as broker:
        broker.delete("celery")

        def rung() -> list[tuple[str, Any]]:
            messages = [json.loads(raw) for raw in broker.lrange("celery", 0, -1)]
            return [(m["headers"]["task"], json.loads(base64.b64decode(m["body"]))[0]) for m in messages]

        yield rung
        broker.delete("celery")
