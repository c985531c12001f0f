"""Staff need a second factor: no admin without one, and nobody is locked out."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from pytest_django import Settings

from apps.accounts.models import User
from apps.accounts.second_factor import STAFF_SECONDS
from apps.accounts.tests.conftest import PASSWORD
from apps.accounts.tests.test_page_second_factor import code


@pytest.fixture(autouse=True)
def _demanded(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True


def sign_in(client: Client, name: str = "ada") -> Any:
    return client.post("/accounts/login/", {"login": name, "password": PASSWORD})


@pytest.fixture
def secret(ada: User) -> str:
    """Ada has a second factor."""
    made: str = generate_totp_secret()
    TOTP.activate(ada, made)
    return made


def give_code(client: Client, secret: str) -> None:
    client.post("/accounts/2fa/authenticate/", {"code": code(secret)})


def test_an_administrator_without_one_is_led_to_where_it_is_set_up(client: Client, ada: User) -> None:
    sign_in(client)
    answer = client.get("/admin/accounts/user/")
    assert answer.headers["Location"] == "/accounts/staff/?next=%2Fadmin%2Faccounts%2Fuser%2F"
    page = client.get(answer.headers["Location"])
    assert "a password alone is not enough" in page.text
    assert "/accounts/2fa/totp/activate/" in page.text


@pytest.mark.django_db(transaction=True)
def test_nobody_is_locked_out_it_is_set_up_right_then(client: Client, ada: User) -> None:
    sign_in(client)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    form = client.get("/accounts/2fa/totp/activate/").context["form"]
    client.post("/accounts/2fa/totp/activate/", {"code": code(form.secret)})
    assert Authenticator.objects.filter(user=ada, type="totp").exists()
    assert client.get("/admin/").status_code == 200


def test_password_and_code_open_the_admin(client: Client, secret: str) -> None:
    sign_in(client)
    give_code(client, secret)
    assert client.get("/admin/").status_code == 200


def test_a_session_from_before_must_give_it(client: Client, ada: User, secret: str) -> None:
    client.force_login(ada)
    answer = client.get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0] == "/accounts/2fa/reauthenticate/?next=%2Fadmin%2F"


def test_a_day_later_it_is_asked_for_again(client: Client, secret: str) -> None:
    sign_in(client)
    give_code(client, secret)
    session = client.session
    session["account_authentication_methods"] = [
        record | {"at": record["at"] - STAFF_SECONDS} for record in session["account_authentication_methods"]
    ]
    session.save()
    assert client.get("/admin/").status_code == 302


def test_a_factor_that_was_removed_opens_nothing_more(client: Client, ada: User, secret: str) -> None:
    sign_in(client)
    give_code(client, secret)
    Authenticator.objects.all().delete()
    assert client.get("/admin/").headers["Location"].startswith("/accounts/staff/")


def test_recovery_codes_alone_are_no_second_factor(client: Client, ada: User) -> None:
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

    RecoveryCodes.activate(ada)
    sign_in(client)
    assert client.get("/admin/").headers["Location"].startswith("/accounts/staff/")


@pytest.mark.parametrize(
    "headers", [{"Accept": "application/json"}, {"HX-Request": "true"}], ids=["json", "htmx"]
)
def test_a_program_is_refused_rather_than_led(client: Client, ada: User, headers: dict[str, str]) -> None:
    sign_in(client)
    assert client.get("/admin/", headers=headers).status_code == 403


def test_nothing_is_changed_without_one(client: Client, ada: User, alice: User) -> None:
    sign_in(client)
    path = f"/admin/accounts/user/{alice.pk}/delete/"
    answer = client.post(path, {"post": "yes"}, headers={"Accept": "application/json"})
    assert answer.json()["error"]["code"] == "second_factor_required"
    assert User.objects.filter(pk=alice.pk).exists()


def test_the_operators_health_page_asks_too(client: Client, ada: User) -> None:
    sign_in(client)
    assert client.get("/health/").headers["Location"].startswith("/accounts/staff/")


def test_who_is_no_staff_is_refused_as_before(client: Client, alice: User) -> None:
    sign_in(client, "alice")
    assert client.get("/admin/", follow=True).status_code == 403


def test_who_is_no_staff_is_asked_for_nothing(client: Client, alice: User) -> None:
    sign_in(client, "alice")
    assert (
        client.get("/accounts/staff/?next=/accounts/sessions/").headers["Location"] == "/accounts/sessions/"
    )


@pytest.mark.parametrize("away", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_it_leads_to_no_other_site(client: Client, alice: User, away: str) -> None:
    sign_in(client, "alice")
    assert client.get("/accounts/staff/", {"next": away}).headers["Location"] == "/accounts/"


def test_staff_need_none_where_the_site_says_so(client: Client, ada: User, settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = False
    sign_in(client)
    assert client.get("/admin/").status_code == 200
