"""Addresses for programs: the scheme that people use, under the name that was asked for."""

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from apps.common.links import absolute


def asked(host: str) -> str:
    return absolute(RequestFactory().get("/", headers={"Host": host}), "/t/x")


@pytest.fixture(autouse=True)
def _public(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://files.example"
    settings.ALLOWED_HOSTS = ["files.example", "127.0.0.1"]


@pytest.mark.parametrize("host", ["files.example", "Files.Example", "files.example:443"])
def test_behind_a_proxy_that_ends_tls_links_say_https(host: str) -> None:
    assert asked(host) == "https://files.example/t/x"


def test_another_name_of_this_machine_stays() -> None:
    assert asked("127.0.0.1:8000") == "http://127.0.0.1:8000/t/x"


def test_another_port_of_the_same_host_stays() -> None:
    assert asked("files.example:8443") == "http://files.example:8443/t/x"


def test_a_public_address_with_a_port_is_told_with_it(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://files.example:8443"
    assert asked("files.example:8443") == "https://files.example:8443/t/x"
    assert asked("files.example") == "http://files.example/t/x"
