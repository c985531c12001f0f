"""/accounts/tokens/: somebody makes API tokens and revokes them."""

import re

import pytest
from django.test import Client

from apps.accounts.models import ApiToken, User
from apps.accounts.rules import TokenScope
from apps.accounts.tests.conftest import PASSWORD
from apps.accounts.tokens import TOKENS_MAX, api_token_check, api_token_create

FORM = {"name": "backup", "scope": "write", "days": "30"}


@pytest.fixture
def hers(client: Client, alice: User) -> Client:
    """A browser in which Alice has just given her password again."""
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


def test_a_new_one_is_shown_once(hers: Client, alice: User) -> None:
    page = hers.post("/accounts/tokens/", FORM)
    (secret,) = re.findall(r'value="(sp_[^"]+)"', page.text)
    assert "no-store" in page.headers["Cache-Control"]
    token = api_token_check(secret=secret)
    assert (token.user, token.name, token.scope) == (alice, "backup", TokenScope.WRITE)
    assert token.expires_at is not None
    again = hers.get("/accounts/tokens/").text
    assert secret not in again
    assert token.start in again


def test_one_without_an_end_is_made(hers: Client) -> None:
    hers.post("/accounts/tokens/", FORM | {"days": ""})
    assert ApiToken.objects.get().expires_at is None


@pytest.mark.parametrize("wrong", [{"name": ""}, {"scope": "admin"}, {"days": "7000"}, {"name": "x" * 101}])
def test_a_choice_that_there_is_not_is_refused(hers: Client, wrong: dict[str, str]) -> None:
    assert hers.post("/accounts/tokens/", FORM | wrong).status_code == 200
    assert not ApiToken.objects.exists()


def test_too_many_are_refused(hers: Client, alice: User) -> None:
    ApiToken.objects.bulk_create(
        ApiToken(user=alice, name="old", digest=str(number), start="sp_") for number in range(TOKENS_MAX)
    )
    assert hers.post("/accounts/tokens/", FORM).status_code == 409


def test_none_is_made_without_the_password(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.post("/accounts/tokens/", FORM).status_code == 302
    assert not ApiToken.objects.exists()


def test_one_is_revoked(hers: Client, alice: User) -> None:
    token, _ = api_token_create(user=alice, name="backup")
    hers.post(f"/accounts/tokens/{token.pk}/revoke")
    assert ApiToken.objects.get().revoked_at is not None
    assert "revoked" in hers.get("/accounts/tokens/").text


def test_somebody_elses_is_not_found(hers: Client, sam: User) -> None:
    token, _ = api_token_create(user=sam, name="backup")
    assert hers.post(f"/accounts/tokens/{token.pk}/revoke").status_code == 404
    assert "backup" not in hers.get("/accounts/tokens/").text
    assert ApiToken.objects.get().revoked_at is None


def test_looking_revokes_nothing(hers: Client, alice: User) -> None:
    token, _ = api_token_create(user=alice, name="backup")
    assert hers.get(f"/accounts/tokens/{token.pk}/revoke").status_code == 405
    assert ApiToken.objects.get().revoked_at is None


def test_revoking_is_never_throttled(hers: Client, alice: User, settings) -> None:
    settings.THROTTLES = settings.THROTTLES | {"sign_in": "1/minute"}
    tokens = [api_token_create(user=alice, name="backup")[0] for _ in range(3)]
    answers = [hers.post(f"/accounts/tokens/{token.pk}/revoke").status_code for token in tokens]
    assert answers == [302, 302, 302]
