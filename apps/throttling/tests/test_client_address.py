"""client_address: what it makes of a request's headers and the settings."""

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from apps.throttling.address import client_address

CLIENT = "203.0.113.7"


@pytest.fixture(autouse=True)
def _one_proxy(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1


def ask(forwarded_for: str | None, peer: str = "10.0.0.9") -> str:
    headers = {} if forwarded_for is None else {"X-Forwarded-For": forwarded_for}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer)
    return client_address(request)


def test_the_proxys_entry_is_the_client() -> None:
    assert ask(CLIENT) == CLIENT


def test_a_spoofed_entry_is_ignored() -> None:
    assert ask(f"1.1.1.1, {CLIENT}") == CLIENT


def test_a_request_without_the_header_is_the_connections() -> None:
    assert ask(None) == "10.0.0.9"


def test_the_header_is_not_read_when_no_proxy_is_trusted(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 0
    assert ask(CLIENT) == "10.0.0.9"


def test_a_second_trusted_proxy_moves_the_place_by_one(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 2
    assert ask(f"1.1.1.1, {CLIENT}, 10.0.0.1") == CLIENT
