"""Change, close, open, delete and mail over HTTP: by form, by htmx, by program."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.transfers.errors import TransferExpiredError
from apps.transfers.models import LinkMail, Transfer
from apps.transfers.rules import MailState
from apps.transfers.tests.cast import JSON, by_form

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
ACTIONS = ["change", "close", "open", "delete", "mails"]


@pytest.fixture
def owned(send, alice):
    return send(owner=alice, title="Holiday", message="See you")


def fresh():
    return Transfer.objects.get()


class TestAnswers:
    def test_a_form_is_answered_with_the_way_back_to_where_the_list_stood(self, alices, owned):
        response = by_form(alices, f"{owned.manage}/close", back="/mine?state=open&q=x")
        assert (response.status_code, response["Location"]) == (303, "/mine?state=open&q=x")
        assert "Closed" in alices.get("/mine").content.decode()

    @pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/mine", "/t/x", ""])
    def test_the_way_back_never_leads_elsewhere(self, alices, owned, back):
        response = by_form(alices, f"{owned.manage}/close", back=back)
        assert response["Location"] == "/mine"

    def test_htmx_is_told_that_something_changed(self, alices, owned):
        alices.get("/")
        headers = {**HTMX, "X-CSRFToken": alices.cookies["csrftoken"].value}
        response = alices.post(f"{owned.manage}/close", headers=headers)
        assert response.status_code == 204
        word = json.loads(response["HX-Trigger"])["transfer-changed"]
        assert word["target"] == "body"
        assert word["said"].startswith("Closed.")

    def test_a_program_with_the_secret_gets_a_status(self, bob, owned):
        response = bob.post(f"{owned.manage}/close", headers={**JSON, **owned.headers})
        assert response.status_code == 204
        assert fresh().closed_at

    @pytest.mark.parametrize("action", ACTIONS)
    def test_an_outsider_is_not_found(self, charlie, owned, action):
        assert by_form(charlie, f"{owned.manage}/{action}").status_code == 404
        assert fresh().closed_at is None

    @pytest.mark.parametrize("action", ACTIONS)
    def test_another_sites_page_is_refused(self, alices, owned, action):
        response = alices.post(f"{owned.manage}/{action}", {"title": "x"}, headers=JSON)
        assert response.json()["error"]["code"] == "csrf_failed"
        assert (fresh().title, fresh().closed_at) == ("Holiday", None)

    @pytest.mark.parametrize("action", ACTIONS)
    def test_nothing_of_it_is_kept_by_a_cache(self, alices, owned, action):
        assert by_form(alices, f"{owned.manage}/{action}")["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("action", ["close", "open"])
    def test_looking_changes_nothing(self, alices, owned, action):
        assert alices.get(f"{owned.manage}/{action}").status_code == 405


class TestChange:
    def test_the_form_shows_what_stands(self, alices, owned):
        page = alices.get(f"{owned.manage}/change").content.decode()
        assert 'value="Holiday"' in page
        assert "See you</textarea>" in page
        assert "<html" in page

    def test_htmx_gets_the_form_alone(self, alices, owned):
        assert "<html" not in alices.get(f"{owned.manage}/change", headers=HTMX).content.decode()

    def test_what_the_form_says_is_stored(self, alices, owned):
        day = timezone.now().date() + timedelta(days=3)
        response = by_form(
            alices,
            f"{owned.manage}/change",
            title="New",
            message="Hello",
            download_limit="7",
            password="sesame",
            expires_on=f"{day}",
        )
        assert response.status_code == 303
        now = fresh()
        assert (now.title, now.message, now.download_limit, now.expires_at.date()) == ("New", "Hello", 7, day)
        assert now.password

    def test_an_unchanged_day_leaves_the_very_moment(self, alices, owned):
        before = fresh().expires_at
        by_form(alices, f"{owned.manage}/change", title="New", expires_on=f"{before:%Y-%m-%d}")
        assert fresh().expires_at == before

    def test_an_empty_password_field_leaves_the_password(self, alices, send, alice):
        owned = send(owner=alice, password="sesame")
        by_form(alices, f"{owned.manage}/change", title="New", password="")
        assert fresh().password

    def test_the_password_is_removed_when_the_box_is_ticked(self, alices, send, alice):
        owned = send(owner=alice, password="sesame")
        by_form(alices, f"{owned.manage}/change", password="", remove_password="on")
        assert fresh().password == ""

    def test_a_box_that_was_shown_and_is_not_ticked_is_off(self, alices, send, alice):
        owned = send(owner=alice, delete_after_download=True, notify_on_download=True)
        by_form(alices, f"{owned.manage}/change", **{"delete_after_download-shown": "1"})
        assert not fresh().delete_after_download
        assert fresh().notify_on_download

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"download_limit": "many"}, "whole number"),
            ({"download_limit": "0"}, "between 1 and"),
            ({"expires_on": "2030-02-31"}, "must look like"),
            ({"expires_on": "soon"}, "must look like"),
            ({"expires_on": "2020-01-01"}, "must end within"),
            ({"title": "x" * 201}, "at most 200"),
        ],
    )
    def test_a_wrong_choice_is_told_in_the_form_with_what_was_typed(self, alices, owned, fields, said):
        response = by_form(alices, f"{owned.manage}/change", **{"message": "typed", **fields})
        assert response.status_code == 400
        page = response.content.decode()
        assert said in page
        assert "typed</textarea>" in page
        assert fresh().message == "See you"

    def test_a_program_is_told_by_code(self, bob, owned):
        response = bob.post(
            f"{owned.manage}/change", {"download_limit": "0"}, headers={**JSON, **owned.headers}
        )
        assert response.json()["error"]["code"] == "invalid_transfer"

    def test_an_expired_transfer_is_gone(self, alices, owned):
        owned.change(expires_at=timezone.now() - timedelta(seconds=1))
        response = by_form(alices, f"{owned.manage}/change", title="New")
        assert response.status_code == TransferExpiredError.status


class TestDelete:
    def test_it_asks_first(self, alices, owned):
        page = alices.get(f"{owned.manage}/delete").content.decode()
        assert "Delete “Holiday”?" in page
        assert Transfer.objects.exists()

    def test_then_it_goes(self, alices, owned):
        assert by_form(alices, f"{owned.manage}/delete").status_code == 303
        assert not Transfer.objects.exists()

    def test_an_expired_one_can_be_deleted_too(self, alices, owned):
        owned.change(expires_at=timezone.now() - timedelta(days=1))
        assert by_form(alices, f"{owned.manage}/delete").status_code == 303
        assert not Transfer.objects.exists()


class TestMails:
    def add(self, client, owned, emails):
        return by_form(client, f"{owned.manage}/mails", emails=emails)

    def test_addresses_by_line_comma_or_space_become_mails(self, alices, owned):
        assert self.add(alices, owned, "a@example.com, b@example.com\nc@example.com").status_code == 303
        assert LinkMail.objects.count() == 3

    def test_an_address_that_has_it_is_left_alone(self, alices, owned):
        self.add(alices, owned, "a@example.com")
        LinkMail.objects.update(state=MailState.SENT)
        self.add(alices, owned, "a@example.com b@example.com")
        assert {mail.address: mail.state for mail in LinkMail.objects.all()} == {
            "a@example.com": MailState.SENT,
            "b@example.com": MailState.WAITING,
        }

    def test_an_address_where_it_failed_is_tried_again(self, alices, owned):
        self.add(alices, owned, "a@example.com")
        LinkMail.objects.update(state=MailState.FAILED, reason="x", attempts=7)
        self.add(alices, owned, "a@example.com")
        mail = LinkMail.objects.get()
        assert (mail.state, mail.reason, mail.attempts) == (MailState.WAITING, "", 0)

    def test_the_form_says_how_far_each_is(self, alices, owned):
        self.add(alices, owned, "a@example.com")
        LinkMail.objects.update(state=MailState.FAILED, reason="No such user.")
        page = alices.get(f"{owned.manage}/mails").content.decode()
        assert "a@example.com" in page
        assert "No such user." in page

    @pytest.mark.parametrize(
        ("emails", "said"),
        [
            ("", "at least one"),
            ("nobody", "not an e-mail address"),
            (" ".join(f"a{n}@example.com" for n in range(21)), "at most 20"),
        ],
    )
    def test_addresses_that_cannot_be_are_refused_in_the_form(self, alices, owned, emails, said):
        response = self.add(alices, owned, emails)
        assert response.status_code == 400
        assert said in response.content.decode()
        assert not LinkMail.objects.exists()

    def test_more_than_twenty_in_all_are_refused(self, alices, owned):
        self.add(alices, owned, " ".join(f"a{n}@example.com" for n in range(15)))
        assert self.add(alices, owned, " ".join(f"b{n}@example.com" for n in range(6))).status_code == 400
        assert LinkMail.objects.count() == 15

    def test_a_sender_without_an_account_is_refused_with_the_reason(self, bob, sent):
        response = bob.post(
            f"{sent.manage}/mails", {"emails": "a@example.com"}, headers={**JSON, **sent.headers}
        )
        assert response.json()["error"]["code"] == "sign_in_required"
        page = bob.get(f"{sent.manage}/mails", headers=sent.headers).content.decode()
        assert "Only people who are signed in" in page
        assert "<textarea" not in page

    def test_more_mails_than_an_account_may_send_are_refused(self, alices, owned, settings):
        settings.THROTTLES = {**settings.THROTTLES, "mail": "2/hour"}
        assert self.add(alices, owned, "a@example.com b@example.com").status_code == 303
        response = self.add(alices, owned, "c@example.com")
        assert response.status_code == 400
        assert "too often" in response.content.decode()
        assert LinkMail.objects.count() == 2

    def test_mails_at_creation_count_as_well(self, alices, settings):
        settings.THROTTLES = {**settings.THROTTLES, "mail": "1/hour"}
        alices.get("/")
        headers = {"X-CSRFToken": alices.cookies["csrftoken"].value}
        body = {"emails": ["a@example.com", "b@example.com"]}
        response = alices.post("/transfers/", body, content_type="application/json", headers=headers)
        assert response.status_code == 429
        assert not Transfer.objects.exists()
