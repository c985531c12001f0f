"""Checks GET / and POST /transfers/: the page to send from, and the request that makes a transfer."""

import json

import pytest
from django.test import Client

from apps.throttling.blocking import block_create
from apps.transfers.models import Transfer, secret_digest

pytestmark = pytest.mark.django_db


def post(client, body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body)
    kind = headers.pop("content_type", "application/json")
    return client.post("/transfers/", data, content_type=kind, headers=headers)


@pytest.fixture
def program():
    """A program: no cookies, no CSRF token."""
    return Client(enforce_csrf_checks=True)


class TestPage:
    def test_it_shows_the_limits_of_this_site(self, program, settings):
        settings.MAX_FILE_BYTES, settings.MAX_TRANSFER_FILES = 123_456_789, 77
        page = program.get("/")
        assert page.status_code == 200
        assert b'data-max-file-bytes="123456789"' in page.content
        assert b'data-max-files="77"' in page.content

    def test_it_hands_out_a_csrf_cookie(self, program):
        assert "csrftoken" in program.get("/").cookies

    def test_a_stranger_is_asked_to_sign_in_where_only_people_with_an_account_send(self, program, settings):
        settings.SEND_POLICY = "signed-in"
        page = program.get("/")
        assert page.status_code == 200
        assert not page.context["may_send"]

    def test_whoever_has_an_account_may_send_there(self, program, settings, alice):
        settings.SEND_POLICY = "signed-in"
        program.force_login(alice)
        assert program.get("/").context["may_send"]

    def test_somebody_signed_in_who_may_not_send_is_told_why_instead_of_to_sign_in(
        self, program, settings, alice
    ):
        settings.SEND_POLICY = "staff"
        program.force_login(alice)
        page = program.get("/").content.decode()
        assert "You cannot send files here" in page
        assert "Your account may not send files here." in page
        assert "Sign in to send files" not in page

    def test_a_blocked_account_is_told_so(self, program, alice):
        block_create(account_id=alice.pk, shown="alice", reason="spam", by="ada")
        program.force_login(alice)
        assert "Sending from here has been blocked" in program.get("/").content.decode()


class TestCreate:
    def test_a_program_without_cookies_needs_no_csrf_token(self, program):
        response = post(program, {"title": "Holiday", "download_limit": 5, "expires_days": 2})
        assert response.status_code == 201
        transfer = Transfer.objects.get()
        assert (transfer.title, transfer.download_limit, transfer.owner) == ("Holiday", 5, None)

    def test_the_answer_has_the_link_and_the_secret_after_a_hash_sign(self, program):
        made = post(program, {}).json()
        transfer = Transfer.objects.get()
        assert made == {
            "token": transfer.token,
            "secret": made["secret"],
            "url": f"/t/{transfer.token}",
            "manage_url": f"/m/{transfer.token}#{made['secret']}",
        }
        assert secret_digest(made["secret"]) == transfer.secret_digest

    def test_the_answer_is_never_stored(self, program):
        assert post(program, {})["Cache-Control"] == "no-store"

    def test_null_means_not_given(self, program):
        body = dict.fromkeys(("title", "message", "expires_days", "password", "download_limit"))
        assert post(program, body).status_code == 201

    def test_the_owner_is_whoever_is_signed_in(self, program, alice):
        program.force_login(alice)
        token = program.get("/").cookies["csrftoken"].value
        assert post(program, {}, **{"X-CSRFToken": token}).status_code == 201
        assert Transfer.objects.get().owner == alice

    def test_a_browser_without_the_csrf_token_is_refused(self, program, alice):
        program.force_login(alice)
        assert post(program, {}).status_code == 403
        assert not Transfer.objects.exists()


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"title": 5}, "title"),
            ({"title": "x" * 201}, "title"),
            ({"message": ["x"]}, "message"),
            ({"message": "x" * 5001}, "message"),
            ({"expires_days": "7"}, "expires_days"),
            ({"expires_days": 1.5}, "expires_days"),
            ({"expires_days": True}, "expires_days"),
            ({"expires_days": -1}, "expires_days"),
            ({"expires_days": 10**100}, "expires_days"),
            ({"password": 1234}, "password"),
            ({"download_limit": -1}, "download_limit"),
            ({"download_limit": {}}, "download_limit"),
            ({"passwrod": "sesame"}, "passwrod"),
        ],
    )
    def test_a_wrong_choice_is_refused_by_name(self, program, body, field):
        response = post(program, body)
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "invalid_transfer"
        assert response.json()["error"]["field"] == field
        assert not Transfer.objects.exists()

    @pytest.mark.parametrize(
        "body",
        [
            b" ",
            b"{",
            b"\xff\xfe",
            b"[]",
            b'"x"',
            b"nope",
            b"[" * 100_000,
            b'{"expires_days": NaN}',
            b"1" * 5000,
        ],
    )
    def test_a_body_that_is_no_json_object_is_refused(self, program, body):
        response = post(program, body)
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "invalid_transfer"

    def test_no_body_at_all_is_refused_since_it_may_have_got_lost(self, program):
        environ = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": "0"}
        response = program.generic("POST", "/transfers/", **environ)
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "invalid_transfer"
        assert not Transfer.objects.exists()

    def test_a_body_of_unknown_length_is_refused_and_makes_no_open_link(self, program):
        """Django reads as much as Content-Length says: nothing, and so no password."""
        environ = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
        body = b'{"password": "sesame"}'
        response = program.generic("POST", "/transfers/", body, "application/json", **environ)
        assert response.status_code == 411
        assert response.json()["error"]["code"] == "length_required"
        assert not Transfer.objects.exists()

    def test_characters_that_no_database_takes_are_dropped(self, program):
        assert post(program, b'{"title": "a\\ud800b\\u0000c"}').status_code == 201
        assert Transfer.objects.get().title == "abc"

    def test_a_password_that_cannot_be_typed_is_refused(self, program):
        assert post(program, b'{"password": "\\ud800"}').status_code == 400

    def test_a_body_of_megabytes_is_refused(self, program):
        response = post(program, {"message": "x" * 2 * 2**20})
        assert response.status_code == 413
        assert response.json()["error"]["code"] == "body_too_large"

    def test_a_form_is_refused(self, program):
        """A page of another site can send forms without asking, but not JSON."""
        response = post(program, b"title=x", content_type="application/x-www-form-urlencoded")
        assert response.status_code == 415
        assert response.json()["error"]["code"] == "unsupported_media_type"

    def test_reading_the_address_is_refused(self, program):
        assert program.get("/transfers/").status_code == 405

    def test_a_stranger_is_refused_where_only_people_with_an_account_send(self, program, settings):
        settings.SEND_POLICY = "signed-in"
        response = post(program, {})
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "sign_in_required"

    def test_an_account_is_refused_where_only_staff_sends(self, program, settings, alice):
        settings.SEND_POLICY = "staff"
        program.force_login(alice)
        token = program.get("/").cookies["csrftoken"].value
        assert post(program, {}, **{"X-CSRFToken": token}).status_code == 403
        assert not Transfer.objects.exists()

    def test_too_many_transfers_from_one_address_are_refused_with_a_time(self, program, charlie, settings):
        settings.THROTTLES = {**settings.THROTTLES, "transfer_create": "2/minute"}
        assert [post(program, {}).status_code for _ in range(3)] == [201, 201, 429]
        refused = post(program, {})
        assert refused.json()["error"]["code"] == "too_many_requests"
        assert 1 <= int(refused["Retry-After"]) <= 60
        assert post(charlie, {}).status_code == 201
