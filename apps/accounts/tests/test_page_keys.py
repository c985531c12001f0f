"""/accounts/2fa/webauthn/: keys are for this site's own name; what no key signed is refused. See tests/browser."""

import json

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from pytest_django import Settings

from apps.accounts.models import User
from apps.accounts.tests.conftest import PASSWORD

MADE_UP = json.dumps({"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {}})


@pytest.fixture
def hers(client: Client, alice: User) -> Client:
    """A browser in which Alice has just given her password again."""
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


def test_a_key_is_for_public_urls_host_whatever_the_request_says(hers: Client, settings: Settings) -> None:
    settings.PUBLIC_URL, settings.ALLOWED_HOSTS = "https://files.example.org", ["*"]
    page = hers.get("/accounts/2fa/webauthn/add/", headers={"Host": "proxy.internal:8080"})
    options = page.context["js_data"]["creation_options"]["publicKey"]
    assert options["rp"] == {"id": "files.example.org", "name": "Spillway"}


def test_signing_in_with_a_passkey_is_for_the_same_host(client: Client, db: None, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://files.example.org"
    told = client.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"}).json()
    assert told["request_options"]["publicKey"]["rpId"] == "files.example.org"


@pytest.mark.parametrize("credential", ["", "{}", "[]", "null", "5", MADE_UP, "{"])
def test_what_no_key_made_is_not_added(hers: Client, credential: str) -> None:
    hers.get("/accounts/2fa/webauthn/add/")
    answer = hers.post("/accounts/2fa/webauthn/add/", {"name": "key", "credential": credential})
    assert answer.status_code == 200
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize("credential", ["", "{}", "[]", "null", MADE_UP])
def test_what_no_key_signed_signs_nobody_in(client: Client, alice: User, credential: str) -> None:
    client.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"})
    answer = client.post("/accounts/2fa/webauthn/login/", {"credential": credential})
    assert answer.status_code == 302
    assert "_auth_user_id" not in client.session


def test_tries_are_counted_like_passwords(client: Client, alice: User, settings: Settings) -> None:
    settings.THROTTLES = settings.THROTTLES | {"sign_in": "2/minute"}
    answers = [client.post("/accounts/2fa/webauthn/login/", {"credential": "{}"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [302, 302, 429]


def test_the_sign_in_page_offers_it_without_an_inline_script(client: Client, db: None) -> None:
    page = client.get("/accounts/login/")
    assert "Sign in with a passkey" in page.text
    assert "<script>" not in page.text
