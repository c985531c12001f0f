"""/accounts/signup/: closed unless the site says otherwise."""

import pytest
from django.test import Client
from pytest_django import Settings

from apps.accounts.models import User

FORM = {
    "username": "bob",
    "email": "bob@example.org",
    "password1": "correct horse battery staple",
    "password2": "correct horse battery staple",
}


@pytest.mark.django_db
def test_a_stranger_makes_no_account_by_default(client: Client) -> None:
    client.post("/accounts/signup/", FORM)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_the_page_of_a_closed_site_has_no_form(client: Client) -> None:
    assert b"password1" not in client.get("/accounts/signup/").content


@pytest.mark.django_db
def test_a_stranger_makes_an_account_where_sign_up_is_open(client: Client, settings: Settings) -> None:
    settings.SIGN_UP = "open"
    client.post("/accounts/signup/", FORM)
    bob = User.objects.get(username="bob")
    assert not bob.is_staff
    assert client.session["_auth_user_id"] == str(bob.pk)


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["short", "password123", "bob@example.org"])
def test_a_weak_password_is_refused(client: Client, settings: Settings, password: str) -> None:
    settings.SIGN_UP = "open"
    client.post("/accounts/signup/", FORM | {"password1": password, "password2": password})
    assert not User.objects.exists()
