"""/admin/: one signs in where everybody signs in, and its pages alone have a wider content policy."""

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.accounts.tests.conftest import PASSWORD


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/", "/admin/login/"])
def test_a_stranger_is_sent_to_the_common_sign_in(client: Client, path: str) -> None:
    answer = client.get(path, follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/?next=")


def test_the_admin_takes_no_password_itself(client: Client, ada: User) -> None:
    answer = client.post("/admin/login/", {"username": "ada", "password": PASSWORD})
    assert answer.status_code == 302
    assert "_auth_user_id" not in client.session


def test_whoever_signed_in_comes_back_to_the_admin(client: Client, ada: User) -> None:
    answer = client.post(
        "/accounts/login/?next=/admin/", {"login": "ada", "password": PASSWORD, "next": "/admin/"}
    )
    assert answer.headers["Location"] == "/admin/"


def test_an_account_that_is_not_staff_is_refused(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get("/admin/", follow=True).status_code == 403


@pytest.mark.parametrize(
    "model", ["accounts/user", "auth/group", "account/emailaddress", "mfa/authenticator"]
)
def test_the_administrator_sees_the_list(client: Client, ada: User, model: str) -> None:
    client.force_login(ada)
    assert client.get(f"/admin/{model}/").status_code == 200


@pytest.mark.parametrize("page", ["add", "1/change"])
def test_the_page_of_a_person_opens(client: Client, ada: User, page: str) -> None:
    client.force_login(ada)
    path = f"/admin/accounts/user/{page.replace('1', str(ada.pk))}/"
    assert client.get(path).status_code == 200


def test_the_secret_of_a_second_factor_is_not_shown(client: Client, ada: User, alice: User) -> None:
    from allauth.mfa.totp.internal.auth import TOTP

    factor = TOTP.activate(alice, "JBSWY3DPEHPK3PXP").instance
    client.force_login(ada)
    page = client.get(f"/admin/mfa/authenticator/{factor.pk}/change/")
    assert page.status_code == 200
    assert "JBSWY3DPEHPK3PXP" not in page.text


def policy(client: Client, path: str) -> list[str]:
    return client.get(path).headers["Content-Security-Policy"].split("; ")


def test_the_admins_pages_may_use_what_the_admin_needs(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert "script-src 'self' 'unsafe-eval'" in policy(client, "/admin/")
    assert "style-src 'self' 'unsafe-inline'" in policy(client, "/admin/")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/t/nothing-here", "/administer/"])
def test_no_other_page_may(client: Client, path: str) -> None:
    assert not [directive for directive in policy(client, path) if "unsafe" in directive]
