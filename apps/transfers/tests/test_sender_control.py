"""Who controls a transfer: whoever has its secret, its owner, the browser that sent it. And nobody else."""

import pytest
from django.conf import settings as site
from django.core import signing
from django.test import Client

from apps.accounts.models import User
from apps.transfers.models import Transfer, secret_digest
from apps.transfers.services import transfer_create
from apps.transfers.tests.cast import JSON, Sent, by_browser, by_form
from apps.transfers.views.browser import COOKIE_NAME

pytestmark = pytest.mark.django_db


def files(client, sent, **headers):
    return client.get(f"{sent.manage}/files", headers={**JSON, **headers}).status_code


@pytest.fixture
def owned(send, alice):
    return send(owner=alice)


class TestOwner:
    def test_the_owner_needs_no_secret(self, alices, owned):
        assert files(alices, owned) == 200

    def test_another_account_is_not_found(self, owned):
        client = Client()
        client.force_login(User.objects.create_user("charlie"))
        assert files(client, owned) == 404

    def test_staff_is_no_owner(self, owned):
        client = Client()
        client.force_login(User.objects.create_superuser("root", password="x"))
        assert files(client, owned) == 404

    def test_a_visitor_is_not_found(self, charlie, owned):
        assert files(charlie, owned) == 404

    def test_the_owner_removes_it_with_the_token_of_our_pages(self, alices, owned):
        alices.get("/")
        headers = {"X-CSRFToken": alices.cookies["csrftoken"].value}
        assert alices.delete(owned.manage, headers=headers).status_code == 204
        assert not Transfer.objects.exists()

    def test_another_sites_page_cannot_act_for_the_owner(self, alices, owned):
        response = alices.delete(owned.manage, headers=JSON)
        assert response.status_code == 403
        assert response.json()["error"]["code"] == "csrf_failed"
        assert Transfer.objects.exists()

    def test_a_wrong_secret_in_the_header_takes_nothing_from_the_owner(self, alices, owned):
        assert files(alices, owned, **{"Transfer-Secret": "wrong"}) == 200

    def test_the_secret_goes_on_opening_an_owned_transfer_without_a_token(self, bob, owned):
        assert bob.delete(owned.manage, headers=owned.headers).status_code == 204

    def test_what_nobody_was_told_of_is_not_even_the_owners(self, alices, alice):
        hidden = Sent(*transfer_create(owner=alice, hidden=True))
        assert files(alices, hidden) == 404


class TestBrowser:
    def test_the_browser_that_sent_it_needs_no_secret(self, bob):
        assert files(bob, by_browser(bob)) == 200

    def test_another_browser_is_not_found(self, bob, charlie):
        by_browser(charlie)
        assert files(charlie, by_browser(bob)) == 404

    def test_the_cookie_is_kept_from_scripts_and_other_sites_for_long(self, bob):
        by_browser(bob)
        cookie = bob.cookies[COOKIE_NAME]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert cookie["max-age"] > 300 * 86_400

    def test_the_cookie_travels_only_encrypted_where_the_site_does(self, bob, settings):
        settings.SECURE = True
        by_browser(bob)
        assert bob.cookies[COOKIE_NAME]["secure"]

    def test_a_browser_keeps_its_id_from_one_transfer_to_the_next(self, bob):
        first, second = by_browser(bob), by_browser(bob)
        assert first.transfer.browser_digest == second.transfer.browser_digest != ""
        assert files(bob, first) == files(bob, second) == 200

    def test_the_database_does_not_hold_the_id(self, bob):
        sent = by_browser(bob)
        browser = bob.cookies[COOKIE_NAME].value.split(":")[0]
        assert len(browser) == 22
        assert sent.transfer.browser_digest == secret_digest(browser)

    def test_an_id_that_somebody_made_up_is_none(self, bob, charlie, send):
        send(browser="a" * 22)
        charlie.cookies[COOKIE_NAME] = "a" * 22
        assert files(charlie, Sent(Transfer.objects.get(), "")) == 404

    def test_an_id_that_was_signed_for_something_else_is_none(self, charlie, send):
        send(browser="a" * 22)
        charlie.cookies[COOKIE_NAME] = signing.get_cookie_signer(salt="another").sign("a" * 22)
        assert files(charlie, Sent(Transfer.objects.get(), "")) == 404

    def test_an_empty_id_finds_nothing(self, charlie, send):
        send()
        salt = f"{COOKIE_NAME}apps.transfers.browser"
        charlie.cookies[COOKIE_NAME] = signing.get_cookie_signer(salt=salt).sign("")
        assert files(charlie, Sent(Transfer.objects.get(), "")) == 404

    def test_another_sites_page_cannot_act_for_the_browser(self, bob):
        sent = by_browser(bob)
        assert bob.delete(sent.manage, headers=JSON).status_code == 403
        assert Transfer.objects.exists()

    def test_its_own_page_can(self, bob):
        sent = by_browser(bob)
        assert by_form(bob, f"{sent.manage}/delete").status_code == 303
        assert not Transfer.objects.exists()

    def test_who_is_signed_in_sends_as_an_account_and_gets_no_such_cookie(self, alices, alice):
        sent = by_browser(alices)
        assert (sent.transfer.owner, sent.transfer.browser_digest) == (alice, "")
        assert COOKIE_NAME not in alices.cookies

    def test_a_program_without_cookies_gets_none(self):
        program = Client(enforce_csrf_checks=True)
        response = program.post("/transfers/", {}, content_type="application/json")
        assert response.status_code == 201
        assert COOKIE_NAME not in response.cookies
        assert Transfer.objects.get().browser_digest == ""

    def test_what_an_account_took_over_is_no_browsers_any_more(self, bob, alice):
        sent = by_browser(bob)
        sent.change(owner=alice)
        assert files(bob, sent) == 404


def test_wrong_guesses_are_throttled(charlie, sent, settings):
    settings.THROTTLES = {**settings.THROTTLES, "link_open": "2/minute"}
    assert [files(charlie, sent, **{"Transfer-Secret": "x"}) for _ in range(3)] == [404, 404, 429]


def test_looking_again_at_ones_own_is_not(alices, owned, settings):
    settings.THROTTLES = {**settings.THROTTLES, "link_open": "1/minute"}
    assert [files(alices, owned) for _ in range(3)] == [200, 200, 200]


def test_sender_and_session_are_different_cookies():
    assert COOKIE_NAME != site.SESSION_COOKIE_NAME
