"""/accounts/: who somebody is here, how much of their quota is used, and every page that it leads to."""

import pytest
from django.test import Client
from pytest_django import Settings

from apps.accounts.models import User
from apps.accounts.tests.conftest import PASSWORD

PAGES = [
    "/accounts/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/sessions/",
    "/accounts/logout/",
]
ASKED_AGAIN = [
    "/accounts/tokens/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/webauthn/add/",
]


def sign_in(client: Client) -> None:
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})


@pytest.mark.django_db
@pytest.mark.parametrize("path", [*PAGES[:-1], *ASKED_AGAIN])
def test_a_stranger_is_asked_to_sign_in(client: Client, path: str) -> None:
    answer = client.get(path, follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("path", PAGES)
def test_it_opens_in_our_frame(client: Client, alice: User, path: str) -> None:
    sign_in(client)
    page = client.get(path)
    assert page.status_code == 200
    assert 'class="masthead' in page.text
    assert "<script>" not in page.text
    assert " style=" not in page.text


@pytest.mark.parametrize("path", ASKED_AGAIN)
def test_what_outlives_the_session_asks_for_the_password_again(
    client: Client, alice: User, path: str
) -> None:
    sign_in(client)
    assert client.get(path).headers["Location"].startswith("/accounts/reauthenticate/")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.get(path)
    assert page.status_code == 200
    assert "<script>" not in page.text
    assert " style=" not in page.text


def test_it_shows_how_much_of_the_quota_is_used(client: Client, alice: User, settings: Settings) -> None:
    from django.utils import timezone

    from apps.uploads.models import Upload

    settings.MAX_ACCOUNT_BYTES = 4 * 2**20
    Upload.objects.create(owner=alice, length=2**20, reserved=2**20, offset=0, expires_at=timezone.now())
    client.force_login(alice)
    page = client.get("/accounts/")
    assert page.context["gauge"].percent == 25
    assert "1.0\xa0MB of 4.0\xa0MB" in page.text
    assert "3.0\xa0MB is left" in page.text


def test_an_accounts_own_quota_goes_before_the_sites(client: Client, alice: User, settings: Settings) -> None:
    User.objects.filter(pk=alice.pk).update(quota_bytes=2**20)
    client.force_login(alice)
    assert "of 1.0\xa0MB" in client.get("/accounts/").text


def test_no_limit_is_said_in_words(client: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(quota_bytes=0)
    client.force_login(alice)
    assert "there is no limit" in client.get("/accounts/").text


def test_somebody_changes_the_name_that_recipients_read(client: Client, alice: User) -> None:
    client.force_login(alice)
    answer = client.post("/accounts/", {"first_name": "Alice", "last_name": "Ames"})
    assert answer.status_code == 302
    alice.refresh_from_db()
    assert alice.get_full_name() == "Alice Ames"


def test_a_name_that_is_too_long_is_refused(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.post("/accounts/", {"first_name": "A" * 151}).status_code == 200
    alice.refresh_from_db()
    assert alice.first_name == ""


def test_a_name_is_not_changed_by_another_sites_form(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post("/accounts/", {"first_name": "Mallory"}).status_code == 403
