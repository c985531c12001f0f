"""/accounts/2fa/: a password alone signs nobody in who has a second factor."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.test import Client
from pytest_django import Settings

from apps.accounts.models import User
from apps.accounts.tests.conftest import PASSWORD


def code(secret: str) -> str:
    digits: str = format_hotp_value(hotp_value(secret, list(yield_hotp_counters_from_time())[1]))
    return digits


@pytest.fixture
def secret(alice: User) -> str:
    """Alice has switched her second factor on."""
    made: str = generate_totp_secret()
    TOTP.activate(alice, made)
    return made


def give_password(client: Client) -> Any:
    return client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})


def give_code(client: Client, digits: str, address: str = "203.0.113.7") -> Any:
    return client.post("/accounts/2fa/authenticate/", {"code": digits}, headers={"X-Forwarded-For": address})


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_the_password_alone_does_not_sign_in(client: Client, secret: str) -> None:
    assert give_password(client).headers["Location"] == "/accounts/2fa/authenticate/"
    assert not signed_in(client)


def test_password_and_code_sign_in(client: Client, secret: str) -> None:
    give_password(client)
    give_code(client, code(secret))
    assert signed_in(client)


def test_a_wrong_code_is_refused(client: Client, secret: str) -> None:
    give_password(client)
    give_code(client, "000000" if code(secret) != "000000" else "000001")
    assert not signed_in(client)


def test_many_addresses_together_do_not_get_more_tries_at_the_code(
    client: Client, secret: str, settings: Settings
) -> None:
    settings.THROTTLES = settings.THROTTLES | {"sign_in_name": "4/minute"}
    give_password(client)
    answers = [give_code(client, "12345x", address=f"203.0.113.{n}") for n in range(5)]
    assert [a.status_code for a in answers] == [200] * 4 + [429]
    assert give_code(client, code(secret), address="198.51.100.1").status_code == 429
    assert not signed_in(client)


def test_switching_it_on_asks_for_the_password_again(client: Client, alice: User) -> None:
    give_password(client)
    answer = client.get("/accounts/2fa/totp/activate/")
    assert answer.headers["Location"].startswith("/accounts/reauthenticate/")


def test_a_person_switches_it_on(client: Client, alice: User) -> None:
    give_password(client)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    form = client.get("/accounts/2fa/totp/activate/").context["form"]
    client.post("/accounts/2fa/totp/activate/", {"code": code(form.secret)})
    assert set(Authenticator.objects.values_list("user__username", "type")) == {
        ("alice", "totp"),
        ("alice", "recovery_codes"),
    }
