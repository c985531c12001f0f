"""Letters: an address is confirmed, a forgotten password is replaced, and nobody learns who has an account."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from pytest_django import Settings

from apps.accounts.models import User
from apps.accounts.tests.conftest import PASSWORD
from apps.accounts.tests.test_page_sign_up import FORM


def link_in(letter: mail.EmailMessage) -> str:
    (found,) = re.findall(r"http://testserver(/\S+)", str(letter.body))
    return str(found)


@pytest.fixture
def mandatory(settings: Settings) -> None:
    """A site that takes nobody without an address."""
    settings.SIGN_UP, settings.ACCOUNT_EMAIL_VERIFICATION = "open", "mandatory"


@pytest.mark.django_db
def test_whoever_must_confirm_is_not_signed_in_before(client: Client, mandatory: None) -> None:
    answer = client.post("/accounts/signup/", FORM)
    assert answer.headers["Location"] == "/accounts/confirm-email/"
    assert "_auth_user_id" not in client.session
    assert "Look into your mail" in client.get("/accounts/confirm-email/").text


@pytest.mark.django_db
def test_the_link_in_the_letter_confirms_the_address(client: Client, mandatory: None) -> None:
    client.post("/accounts/signup/", FORM)
    (letter,) = mail.outbox
    assert letter.subject == "Confirm your e-mail address"
    link = link_in(letter)
    assert "bob@example.org belongs to the account bob" in client.get(link).text
    assert not EmailAddress.objects.get().verified
    client.post(link)
    assert EmailAddress.objects.get().verified


@pytest.mark.django_db
def test_a_link_that_none_of_our_letters_holds_says_so(client: Client) -> None:
    page = client.get("/accounts/confirm-email/MQ:1abcde:0123456789012345678901/")
    assert "This link cannot be used" in page.text


@pytest.mark.django_db
def test_nobody_is_asked_to_confirm_where_the_site_does_not_care(client: Client, settings: Settings) -> None:
    settings.SIGN_UP, settings.ACCOUNT_EMAIL_VERIFICATION = "open", "none"
    client.post("/accounts/signup/", FORM)
    assert "_auth_user_id" in client.session
    assert mail.outbox == []


@pytest.fixture
def letter(client: Client, alice: User) -> mail.EmailMessage:
    """What Alice gets who has forgotten her password."""
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    client.post("/accounts/password/reset/", {"email": "alice@example.org"})
    return mail.outbox[0]


def test_a_forgotten_password_is_replaced(client: Client, alice: User, letter: mail.EmailMessage) -> None:
    assert letter.subject == "Choose a new password"
    form = client.get(link_in(letter), follow=True)
    new = "another long enough sentence"
    client.post(form.redirect_chain[-1][0], {"password1": new, "password2": new})
    alice.refresh_from_db()
    assert alice.check_password(new)


def test_a_letters_link_works_once(client: Client, letter: mail.EmailMessage) -> None:
    form = client.get(link_in(letter), follow=True)
    new = "another long enough sentence"
    client.post(form.redirect_chain[-1][0], {"password1": new, "password2": new})
    assert "This link cannot be used" in Client().get(link_in(letter), follow=True).text


def test_a_weak_password_is_refused(client: Client, alice: User, letter: mail.EmailMessage) -> None:
    form = client.get(link_in(letter), follow=True)
    client.post(form.redirect_chain[-1][0], {"password1": "short", "password2": "short"})
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


@pytest.fixture
def thief(alice: User) -> Client:
    """A browser in which somebody else is signed in as Alice."""
    client = Client()
    client.force_login(alice)
    return client


def test_a_new_password_signs_everybody_out(client: Client, thief: Client, letter: mail.EmailMessage) -> None:
    form = client.get(link_in(letter), follow=True)
    new = "another long enough sentence"
    client.post(form.redirect_chain[-1][0], {"password1": new, "password2": new})
    assert thief.get("/accounts/").status_code == 302


@pytest.mark.django_db
def test_an_address_without_an_account_gets_no_letter_and_the_page_says_the_same(
    client: Client, alice: User
) -> None:
    known = client.post("/accounts/password/reset/", {"email": "alice@example.org"}, follow=True)
    unknown = client.post("/accounts/password/reset/", {"email": "nobody@example.org"}, follow=True)
    assert [str(to) for letter in mail.outbox for to in letter.to] == ["alice@example.org"]
    assert known.redirect_chain == unknown.redirect_chain
    assert "If an account has this address" in unknown.text


def test_a_second_address_is_added_and_removed(client: Client, alice: User) -> None:
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    client.force_login(alice)
    client.post("/accounts/email/", {"action_add": "", "email": "other@example.org"})
    assert "not confirmed" in client.get("/accounts/email/").text
    client.post("/accounts/email/", {"action_remove": "", "email": "other@example.org"})
    assert list(EmailAddress.objects.values_list("email", flat=True)) == ["alice@example.org"]
