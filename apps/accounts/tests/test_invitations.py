"""Invitations: made by staff, opened any number of times, used once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.errors import InvalidAccountError, InvitationUsedError
from apps.accounts.inviting import INVITATION_DAYS_MAX, invitation_create, invitation_open
from apps.accounts.models import Invitation, User
from apps.accounts.tests.test_page_sign_up import FORM


@pytest.fixture
def token(db: None, settings: Settings) -> str:
    """An invitation on a site that has accounts for those alone."""
    settings.SIGN_UP = "invited"
    return invitation_create(made_by=None)[1]


def open_link(client: Client, token: str) -> str:
    return client.get(f"/accounts/invitation/{token}").headers.get("Location", "")


def test_whoever_opens_the_link_makes_an_account(client: Client, token: str) -> None:
    assert open_link(client, token) == "/accounts/signup/"
    assert "password1" in client.get("/accounts/signup/").text
    client.post("/accounts/signup/", FORM)
    bob = User.objects.get()
    assert client.session["_auth_user_id"] == str(bob.pk)
    used = Invitation.objects.get()
    assert used.used_by == bob
    assert used.used_at is not None


def test_without_one_nobody_makes_an_account(client: Client, token: str) -> None:
    assert "password1" not in client.get("/accounts/signup/").text
    client.post("/accounts/signup/", FORM)
    assert not User.objects.exists()


def test_only_its_digest_is_kept(token: str) -> None:
    kept = Invitation.objects.get()
    assert len(token) == 22
    assert token not in kept.digest
    assert invitation_open(token=token) == kept


def test_opening_it_does_not_use_it_up(client: Client, token: str) -> None:
    open_link(Client(), token)
    assert open_link(client, token) == "/accounts/signup/"


def test_a_used_one_opens_nothing(client: Client, token: str) -> None:
    first = Client()
    open_link(first, token)
    first.post("/accounts/signup/", FORM)
    assert client.get(f"/accounts/invitation/{token}").status_code == 410


def test_one_whose_time_is_over_opens_nothing(client: Client, token: str) -> None:
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(f"/accounts/invitation/{token}").status_code == 410


def test_one_whose_time_ends_while_the_form_is_filled_in_is_refused(client: Client, token: str) -> None:
    open_link(client, token)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    client.post("/accounts/signup/", FORM)
    assert not User.objects.exists()


def test_an_unknown_one_looks_like_a_used_one(client: Client, token: str) -> None:
    assert client.get("/accounts/invitation/abcdefghijklmnopqrstuv").status_code == 410


def test_guessing_is_throttled(client: Client, token: str, settings: Settings) -> None:
    settings.THROTTLES = settings.THROTTLES | {"sign_in": "2/minute"}
    guess = "/accounts/invitation/abcdefghijklmnopqrstuv"
    assert [client.get(guess).status_code for _ in range(3)] == [410, 410, 429]


def test_a_closed_site_takes_none(client: Client, token: str, settings: Settings) -> None:
    settings.SIGN_UP = "closed"
    open_link(client, token)
    client.post("/accounts/signup/", FORM)
    assert not User.objects.exists()


def test_one_for_an_address_is_for_nobody_else(client: Client, token: str) -> None:
    Invitation.objects.update(email="carol@example.org")
    assert open_link(client, token) == "/accounts/signup/?email=carol%40example.org"
    page = client.post("/accounts/signup/", FORM)
    assert "for another address" in page.text
    assert not User.objects.exists()
    client.post("/accounts/signup/", FORM | {"email": "Carol@example.org"})
    assert User.objects.get().email == "carol@example.org"


def test_whoever_is_signed_in_has_an_account(client: Client, token: str, alice: User) -> None:
    client.force_login(alice)
    assert open_link(client, token) == "/accounts/"


def test_a_weak_password_does_not_use_it_up(client: Client, token: str) -> None:
    open_link(client, token)
    client.post("/accounts/signup/", FORM | {"password1": "short", "password2": "short"})
    client.post("/accounts/signup/", FORM)
    assert User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_use_it_at_once_one_gets_an_account(settings: Settings) -> None:
    settings.SIGN_UP = "invited"
    _, token = invitation_create(made_by=None)
    together = threading.Barrier(8)

    def sign_up(number: int) -> int:
        browser = Client()
        open_link(browser, token)
        together.wait(10)
        form = FORM | {"username": f"bob{number}", "email": f"bob{number}@example.org"}
        try:
            return browser.post("/accounts/signup/", form).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(sign_up, range(8)))
    assert answers.count(302) == 1
    assert User.objects.count() == 1
    assert Invitation.objects.get().used_by == User.objects.get()


@pytest.mark.django_db
@pytest.mark.parametrize("days", [0, -1, INVITATION_DAYS_MAX + 1])
def test_a_life_that_no_invitation_has_is_refused(days: int) -> None:
    with pytest.raises(InvalidAccountError, match="at least 1 day"):
        invitation_create(made_by=None, days=days)


@pytest.mark.django_db
def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(InvalidAccountError, match="not an e-mail address"):
        invitation_create(made_by=None, email="carol")


@pytest.mark.django_db
def test_an_unknown_token_is_refused() -> None:
    with pytest.raises(InvitationUsedError):
        invitation_open(token="x" * 22)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("invite", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_the_command_prints_a_link_that_works(client: Client, token: str) -> None:
    link = run().strip()
    assert link.startswith("http://localhost:8000/accounts/invitation/")
    assert open_link(client, link.rsplit("/", 1)[1]) == "/accounts/signup/"


def test_the_command_sends_the_link(token: str) -> None:
    link = run("--email", "carol@example.org", "--send").strip()
    (letter,) = mail.outbox
    assert letter.to == ["carol@example.org"]
    assert link in letter.body


def test_the_command_sends_nothing_to_nobody(token: str) -> None:
    with pytest.raises(CommandError, match="--email"):
        run("--send")


def test_the_command_refuses_what_is_no_address(token: str) -> None:
    with pytest.raises(CommandError, match="e-mail address"):
        run("--email", "carol")


@pytest.mark.django_db
def test_the_command_says_when_the_site_takes_no_invitations() -> None:
    assert "SIGN_UP" in run()
