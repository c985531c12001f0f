"""Links that ask for files: made, listed, closed by their owner; answered by guests into the owner's account."""

import base64
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.throttling.blocking import block_create
from apps.transfers import asking
from apps.transfers.asking import request_answer, request_close, request_create
from apps.transfers.errors import InvalidTransferError, RequestEndedError
from apps.transfers.models import FileRequest, LinkMail, Transfer
from apps.transfers.rules import MailKind
from apps.transfers.tests.cast import JSON, by_form
from apps.transfers.tests.together import together
from apps.uploads.models import Upload

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(alice):
    return request_create(owner=alice, title="Photos", message="All of them")


class TestOwnersPage:
    def test_a_request_is_made_and_listed_with_its_link(self, alices, alice):
        response = by_form(alices, "/mine/requests", title=" Photos ", message="All", expires_days="3")
        assert response.status_code == 303
        made = FileRequest.objects.get()
        assert (made.owner, made.title, made.message) == (alice, "Photos", "All")
        assert timedelta(days=2) < made.expires_at - timezone.now() <= timedelta(days=3)
        body = alices.get("/mine/requests").content.decode()
        assert f"http://testserver/r/{made.token}" in body

    def test_a_link_cannot_be_guessed(self, asked):
        assert re.fullmatch(r"[\w-]{22}", asked.token)

    def test_others_do_not_see_it(self, asked):
        client = Client()
        client.force_login(User.objects.create_user("bob"))
        assert asked.token not in client.get("/mine/requests").content.decode()

    def test_a_visitor_is_sent_to_sign_in(self, bob):
        assert bob.get("/mine/requests")["Location"] == "/accounts/login/?next=/mine/requests"
        assert by_form(bob, "/mine/requests", title="x").status_code == 302
        assert not FileRequest.objects.exists()

    def test_another_sites_page_is_refused(self, alices):
        assert alices.post("/mine/requests", {"title": "x"}).status_code == 403
        assert not FileRequest.objects.exists()

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"title": "x" * 201}, "at most 200"),
            ({"message": "x" * 5001}, "at most 5000"),
            ({"expires_days": "0"}, "at least 1 day"),
            ({"expires_days": "31"}, "at most 30"),
            ({"expires_days": "soon"}, "whole number"),
        ],
    )
    def test_a_wrong_choice_is_told_in_the_form_with_what_was_typed(self, alices, fields, said):
        response = by_form(alices, "/mine/requests", **{"message": "typed", **fields})
        assert response.status_code == 400
        assert said in response.content.decode()
        assert not FileRequest.objects.exists()

    def test_more_open_ones_than_there_may_be_are_refused(self, alice, asked, monkeypatch):
        monkeypatch.setattr(asking, "OPEN_REQUESTS_MAX", 1)
        with pytest.raises(InvalidTransferError, match="too many"):
            request_create(owner=alice)
        request_close(request=asked)
        request_create(owner=alice)

    def test_the_owner_closes_it(self, alices, asked):
        assert by_form(alices, f"/mine/requests/{asked.pk}/close").status_code == 303
        asked.refresh_from_db()
        assert asked.closed_at

    def test_closing_twice_keeps_the_first_moment(self, asked):
        request_close(request=asked)
        first = FileRequest.objects.get().closed_at
        request_close(request=asked)
        assert FileRequest.objects.get().closed_at == first

    def test_nobody_else_closes_it(self, asked):
        client = Client(enforce_csrf_checks=True)
        client.force_login(User.objects.create_user("bob"))
        assert by_form(client, f"/mine/requests/{asked.pk}/close").status_code == 404
        asked.refresh_from_db()
        assert asked.closed_at is None

    def test_the_list_counts_what_came(self, alices, asked):
        request_answer(request=asked, sender_name="Bob")
        request_answer(request=asked, sender_name="Bob")
        assert "2 transfers received" in alices.get("/mine/requests").content.decode()


class TestGuestsPage:
    def test_it_says_what_is_asked_and_by_whom(self, bob, asked):
        body = bob.get(f"/r/{asked.token}").content.decode()
        for said in ("Photos", "All of them", "Alice Ames asks you for", 'name="sender_name"'):
            assert said in body

    def test_it_offers_no_choices(self, bob, asked):
        body = bob.get(f"/r/{asked.token}").content.decode()
        for name in ("password", "expires", "download_limit", "emails"):
            assert f'name="{name}' not in body
        assert f'data-create-url="/r/{asked.token}/transfers/"' in body

    def test_who_may_not_send_otherwise_may_answer(self, bob, asked, settings):
        settings.SEND_POLICY = "staff"
        assert "data-create-url" in bob.get(f"/r/{asked.token}").content.decode()

    def test_the_link_is_kept_out_of_caches_and_referrers(self, bob, asked):
        response = bob.get(f"/r/{asked.token}")
        assert (response["Cache-Control"], response["Referrer-Policy"]) == ("no-store", "no-referrer")

    def test_a_closed_request_is_gone(self, bob, asked):
        request_close(request=asked)
        response = bob.get(f"/r/{asked.token}")
        assert response.status_code == 410
        assert "This request has ended" in response.content.decode()

    def test_an_expired_request_is_gone(self, bob, asked):
        FileRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert bob.get(f"/r/{asked.token}").status_code == 410

    def test_a_request_of_an_account_that_was_switched_off_is_gone(self, bob, asked, alice):
        alice.is_active = False
        alice.save()
        assert bob.get(f"/r/{asked.token}").status_code == 410

    def test_a_request_of_an_account_that_staff_has_blocked_is_gone(self, bob, asked, alice):
        block_create(account_id=alice.pk, shown="alice", reason="spam", by="root")
        assert bob.get(f"/r/{asked.token}").status_code == 410

    def test_there_is_nothing_behind_another_link(self, bob):
        assert bob.get("/r/" + "a" * 22).status_code == 404

    def test_guesses_are_throttled(self, charlie, settings):
        settings.THROTTLES = {**settings.THROTTLES, "link_open": "2/minute"}
        statuses = [charlie.get("/r/" + letter * 22).status_code for letter in "abc"]
        assert statuses == [404, 404, 429]


def answer(client, asked, body=None, **headers):
    path = f"/r/{asked.token}/transfers/"
    body = {"sender_name": "Bob"} if body is None else body
    return client.post(path, body, content_type="application/json", headers={**JSON, **headers})


class TestAnswer:
    def test_it_is_a_transfer_of_whoever_asked(self, asked, alice):
        made = answer(Client(), asked, {"sender_name": " Bob\tB ", "message": "here"}).json()
        transfer = Transfer.objects.get(token=made["token"])
        assert (transfer.owner, transfer.request, transfer.title) == (alice, asked, "Photos")
        assert (transfer.sender_name, transfer.message) == ("Bob B", "here")
        assert made["manage_url"] == f"/m/{transfer.token}#{made['secret']}"

    def test_whoever_sent_it_controls_it_by_the_secret_alone(self, bob, asked):
        bob.get(f"/r/{asked.token}")
        made = answer(bob, asked, **{"X-CSRFToken": bob.cookies["csrftoken"].value}).json()
        path = f"/m/{made['token']}/files"
        assert bob.get(path, headers=JSON).status_code == 404
        assert bob.get(path, headers={**JSON, "Transfer-Secret": made["secret"]}).status_code == 200

    def test_whoever_asked_controls_it_too(self, alices, asked):
        made = answer(Client(), asked).json()
        assert alices.get(f"/m/{made['token']}/files", headers=JSON).status_code == 200

    def test_the_send_policy_does_not_hinder_the_guest(self, asked, settings):
        settings.SEND_POLICY = "staff"
        assert answer(Client(), asked).status_code == 201

    def test_files_then_come_by_tus_and_the_owners_quota_pays(self, asked, alice, store_root, settings):
        settings.SEND_POLICY = "staff"
        alice.quota_bytes = 10
        alice.save()
        secret = answer(Client(), asked).json()["secret"]

        def create(length):
            told = f"filename {base64.b64encode(b'a').decode()},transfer {base64.b64encode(secret.encode()).decode()}"
            headers = {
                "Tus-Resumable": "1.0.0",
                "Upload-Length": f"{length}",
                "Upload-Metadata": told,
            }
            return Client().generic("POST", "/files/", headers=headers)

        assert create(10).status_code == 201
        assert Upload.objects.get().owner == alice
        assert create(1).json()["error"]["code"] == "quota_exceeded"

    def test_the_owner_will_be_told_when_the_files_are_there(self, asked):
        answer(Client(), asked)
        mail = LinkMail.objects.get()
        assert (mail.kind, mail.address) == (MailKind.RECEIVED, "alice@example.com")

    def test_an_owner_without_an_address_is_not(self, asked, alice):
        alice.email = ""
        alice.save()
        answer(Client(), asked)
        assert not LinkMail.objects.exists()

    def test_a_browser_without_the_csrf_token_is_refused(self, bob, asked):
        bob.get(f"/r/{asked.token}")
        assert answer(bob, asked).status_code == 403
        assert not Transfer.objects.exists()

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"password": "sesame"}, "password"),
            ({"emails": ["x@example.com"]}, "emails"),
            ({"sender_name": 5}, "sender_name"),
            ({"sender_name": "x" * 101}, "sender_name"),
            ({"message": "x" * 5001}, "message"),
            ([], ""),
        ],
    )
    def test_what_a_guest_cannot_choose_is_refused_by_name(self, asked, body, field):
        response = answer(Client(), asked, body)
        assert response.status_code == 400
        assert response.json()["error"]["field"] == field
        assert not Transfer.objects.exists()

    def test_what_is_no_json_is_refused(self, asked):
        response = Client().post(f"/r/{asked.token}/transfers/", {"sender_name": "x"}, headers=JSON)
        assert response.status_code == 415

    def test_a_guest_whom_staff_has_blocked_is_refused(self, asked):
        block_create(address="127.0.0.1", shown="127.0.0.1", reason="spam", by="root")
        assert answer(Client(), asked).json()["error"]["code"] == "sender_blocked"
        assert not Transfer.objects.exists()

    def test_a_closed_request_takes_nothing(self, asked):
        request_close(request=asked)
        response = answer(Client(), asked)
        assert response.status_code == 410
        assert response.json()["error"]["code"] == "request_ended"
        assert not Transfer.objects.exists()

    def test_what_had_begun_before_it_was_closed_goes_on(self, asked):
        made = answer(Client(), asked).json()
        request_close(request=asked)
        path = f"/m/{made['token']}/files"
        headers = {**JSON, "Transfer-Secret": made["secret"]}
        assert Client().get(path, headers=headers).status_code == 200

    def test_too_many_from_one_address_are_refused(self, asked, settings):
        settings.THROTTLES = {**settings.THROTTLES, "transfer_create": "1/minute"}
        assert [answer(Client(), asked).status_code for _ in range(2)] == [201, 429]

    @pytest.mark.django_db(transaction=True)
    def test_closing_and_answering_at_once_make_all_or_nothing(self, asked):
        def work(number):
            if number == 0:
                return request_close(request=asked)
            return request_answer(request=asked, sender_name=f"{number}")

        results = together(8, work)
        ended = sum(isinstance(result, RequestEndedError) for result in results)
        assert Transfer.objects.count() == 7 - ended
        assert [result for result in results if isinstance(result, Exception)] == [
            result for result in results if isinstance(result, RequestEndedError)
        ]
