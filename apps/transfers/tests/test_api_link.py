"""Checks GET /t/<token> and POST /t/<token>/password: what a recipient and a program see behind a link."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.transfers.rules import FileState

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}
PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}


def expire(sent):
    sent.change(expires_at=timezone.now() - timedelta(days=1))


def is_private(response):
    return {name: response[name] for name in PRIVATE} == PRIVATE


class TestPage:
    def test_it_shows_title_message_files_and_checksums(self, bob, sent):
        file = sent.add("photo.jpg", content_type="image/jpeg")
        page = bob.get(sent.link)
        text = page.content.decode()
        assert page.status_code == 200
        assert all(part in text for part in ("Holiday", "See you", "photo.jpg", file.sha256))
        assert f'href="{file.download_path}"' in text

    def test_it_names_a_sender_who_has_an_account(self, bob, send, alice):
        assert "Alice Ames" in bob.get(send(owner=alice).link).content.decode()

    def test_a_file_that_is_not_ready_has_no_download_link(self, bob, sent):
        file = sent.add(state=FileState.PROCESSING)
        assert file.download_path not in bob.get(sent.link).content.decode()

    def test_what_people_wrote_is_shown_and_never_run(self, bob, send):
        sent = send(title="<script>alert(1)</script>", message="<img src=x onerror=alert(1)>")
        sent.add('"><script>.txt')
        text = bob.get(sent.link).content.decode()
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert '"><script>.txt' not in text

    def test_htmx_gets_the_rows_alone(self, bob, sent):
        sent.add("photo.jpg")
        text = bob.get(sent.link, headers={"HX-Request": "true"}).content.decode()
        assert "photo.jpg" in text
        assert "<html" not in text

    def test_it_says_how_many_downloads_are_left(self, bob, send):
        sent = send(download_limit=3)
        sent.change(download_count=1)
        assert bob.get(sent.link).context["transfer"].downloads_left == 2

    def test_it_is_kept_out_of_caches_and_search_engines(self, bob, sent):
        assert is_private(bob.get(sent.link))

    def test_it_takes_two_queries_whatever_the_number_of_files(self, bob, sent, django_assert_num_queries):
        for number in range(3):
            sent.add(f"{number}.txt")
        with django_assert_num_queries(2):
            bob.get(sent.link)
        for number in range(20):
            sent.add(f"more-{number}.txt")
        with django_assert_num_queries(2):
            bob.get(sent.link)


class TestJson:
    def test_it_has_exactly_the_promised_shape(self, bob, sent):
        file = sent.add("photo.jpg", content_type="image/jpeg", size=1234)
        response = bob.get(sent.link, headers=JSON)
        assert response.json() == {
            "state": "ready",
            "expires_at": sent.transfer.expires_at.isoformat(),
            "files": [
                {
                    "name": "photo.jpg",
                    "folder": "",
                    "size": 1234,
                    "type": "image/jpeg",
                    "sha256": file.sha256,
                    "state": "ready",
                    "url": f"http://testserver{file.download_path}",
                }
            ],
        }

    def test_a_new_transfer_is_empty(self, bob, sent):
        assert bob.get(sent.link, headers=JSON).json()["state"] == "empty"

    def test_it_takes_two_queries_whatever_the_number_of_files(self, bob, sent, django_assert_num_queries):
        for number in range(20):
            sent.add(f"{number}.txt")
        with django_assert_num_queries(2):
            bob.get(sent.link, headers=JSON)

    def test_it_is_private_too(self, bob, sent):
        response = bob.get(sent.link, headers=JSON)
        assert is_private(response)
        assert "Accept" in response["Vary"]


class TestClosedLinks:
    def test_an_unknown_link_is_not_found(self, bob, db):
        page = bob.get("/t/abcdefghijklmnopqrstuv")
        assert page.status_code == 404
        assert is_private(page)
        assert "<html" in page.content.decode()

    def test_an_unknown_link_is_not_found_for_programs(self, bob, db):
        response = bob.get("/t/abcdefghijklmnopqrstuv", headers=JSON)
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "not_found"
        assert is_private(response)

    @pytest.mark.parametrize("token", ["x" * 5000, "%00", "%F0%9F%98%80", "..", "a'b"])
    def test_a_strange_token_is_not_found(self, bob, db, token):
        assert bob.get(f"/t/{token}").status_code == 404

    def test_an_expired_link_is_gone_and_says_since_when(self, bob, sent):
        expire(sent)
        page = bob.get(sent.link)
        assert page.status_code == 410
        assert "expired on" in page.content.decode()
        assert "Holiday" not in page.content.decode()
        assert is_private(page)

    def test_an_expired_link_is_gone_for_programs(self, bob, sent):
        expire(sent)
        response = bob.get(sent.link, headers=JSON)
        assert response.status_code == 410
        assert response.json()["error"]["code"] == "transfer_expired"
        assert response.json()["error"]["message"].startswith("This link expired on ")

    def test_an_expired_link_is_gone_even_without_its_password(self, bob, send):
        sent = send(password="sesame")
        expire(sent)
        assert bob.get(sent.link, headers=JSON).status_code == 410

    def test_opening_links_too_often_is_refused_for_one_address_only(self, bob, charlie, sent, settings):
        settings.THROTTLES = {**settings.THROTTLES, "link_open": "2/minute"}
        answers = [bob.get(sent.link, headers=JSON) for _ in range(3)]
        assert [a.status_code for a in answers] == [200, 200, 429]
        assert int(answers[-1]["Retry-After"]) >= 1
        assert charlie.get(sent.link).status_code == 200

    def test_a_page_that_looks_again_for_its_files_is_no_new_opening(self, bob, sent, settings):
        settings.THROTTLES = {**settings.THROTTLES, "link_open": "2/minute"}
        looks = [bob.get(sent.link, headers={"HX-Request": "true"}).status_code for _ in range(5)]
        assert looks == [200] * 5

    def test_guessing_links_is_throttled_even_for_whoever_claims_to_look_again(self, charlie, db, settings):
        settings.THROTTLES = {**settings.THROTTLES, "link_open": "2/minute"}
        guess = {"HX-Request": "true", **JSON}
        tries = [charlie.get("/t/abcdefghijklmnopqrstuv", headers=guess).status_code for _ in range(3)]
        assert tries == [404, 404, 429]


class TestPassword:
    @pytest.fixture
    def locked(self, send):
        sent = send(password="sesame", title="Secret plans")
        sent.add("plans.pdf")
        return sent

    def enter(self, client, sent, password, **headers):
        page = client.get(sent.link)
        token = page.cookies["csrftoken"].value if "csrftoken" in page.cookies else ""
        form = {"password": password, "csrfmiddlewaretoken": token or client.cookies["csrftoken"].value}
        return client.post(f"{sent.link}/password", form, headers=headers)

    def test_the_page_asks_for_it_and_shows_nothing_else(self, bob, locked):
        page = bob.get(locked.link)
        text = page.content.decode()
        assert page.status_code == 200
        assert 'name="password"' in text
        assert "Secret plans" not in text
        assert "plans.pdf" not in text

    def test_htmx_rows_are_not_shown_without_it(self, bob, locked):
        assert b"plans.pdf" not in bob.get(locked.link, headers={"HX-Request": "true"}).content

    def test_a_program_is_told_that_it_is_required(self, bob, locked):
        response = bob.get(locked.link, headers=JSON)
        assert response.status_code == 403
        assert response.json()["error"]["code"] == "password_required"

    def test_the_right_one_leads_back_to_the_opened_link(self, bob, locked):
        response = self.enter(bob, locked, "sesame")
        assert (response.status_code, response["Location"]) == (303, locked.link)
        assert b"plans.pdf" in bob.get(locked.link).content

    def test_it_opens_the_link_for_one_visitor_only(self, bob, charlie, locked):
        self.enter(bob, locked, "sesame")
        assert b"plans.pdf" not in charlie.get(locked.link).content

    def test_it_opens_one_transfer_only(self, bob, locked, send):
        other = send(password="sesame")
        other.add("other.pdf")
        self.enter(bob, locked, "sesame")
        assert b"other.pdf" not in bob.get(other.link).content

    def test_a_wrong_one_is_refused_on_the_same_page(self, bob, locked):
        page = self.enter(bob, locked, "Sesame")
        assert page.status_code == 403
        assert b"This is not the password." in page.content
        assert b"plans.pdf" not in bob.get(locked.link).content

    def test_a_wrong_one_is_refused_for_programs(self, locked):
        response = Client().post(f"{locked.link}/password", {"password": "no"}, headers=JSON)
        assert response.status_code == 403
        assert response.json()["error"]["code"] == "password_wrong"

    def test_a_form_of_another_site_is_refused(self, bob, locked):
        assert bob.post(f"{locked.link}/password", {"password": "sesame"}).status_code == 403
        assert b"plans.pdf" not in bob.get(locked.link).content

    def test_guessing_is_refused_after_some_tries_even_when_the_guess_is_right(self, bob, locked, settings):
        settings.THROTTLES = {**settings.THROTTLES, "password": "2/minute"}
        assert [self.enter(bob, locked, guess).status_code for guess in ("a", "b", "sesame")] == [
            403,
            403,
            429,
        ]

    def test_who_guesses_too_often_is_told_to_wait_on_the_same_page(self, bob, locked, settings):
        settings.THROTTLES = {**settings.THROTTLES, "password": "1/minute"}
        page = [self.enter(bob, locked, guess) for guess in ("a", "sesame")][-1]
        assert 1 <= int(page["Retry-After"]) <= 60
        assert page["Cache-Control"] == "no-store"
        assert b"Wait a moment and try again." in page.content
        assert b'name="password"' in page.content

    def test_a_program_sends_it_in_a_header(self, bob, locked):
        response = bob.get(locked.link, headers={**JSON, "Transfer-Password": "sesame"})
        assert response.status_code == 200

    def test_a_program_may_send_the_right_one_as_often_as_it_likes(self, bob, locked, settings):
        settings.THROTTLES = {**settings.THROTTLES, "password": "1/minute"}
        headers = {**JSON, "Transfer-Password": "sesame"}
        assert [bob.get(locked.link, headers=headers).status_code for _ in range(3)] == [200] * 3

    def test_a_program_that_sends_a_wrong_one_is_refused(self, bob, locked):
        response = bob.get(locked.link, headers={**JSON, "Transfer-Password": "no"})
        assert (response.status_code, response.json()["error"]["code"]) == (403, "password_wrong")

    def test_a_header_may_hold_any_character(self, bob, send):
        sent = send(password="Öffne dich ☂")
        wire = "Öffne dich ☂".encode().decode("latin-1")
        assert bob.get(sent.link, headers={**JSON, "Transfer-Password": wire}).status_code == 200

    def test_a_transfer_without_one_just_opens(self, bob, sent):
        bob.get("/")
        form = {"password": "x", "csrfmiddlewaretoken": bob.cookies["csrftoken"].value}
        assert bob.post(f"{sent.link}/password", form).status_code == 303

    def test_an_unknown_link_has_no_password(self, db):
        assert Client().post("/t/abcdefghijklmnopqrstuv/password", {"password": "x"}).status_code == 404

    def test_an_expired_link_takes_no_password(self, locked):
        expire(locked)
        assert Client().post(f"{locked.link}/password", {"password": "sesame"}).status_code == 410


def test_a_program_gets_https_addresses_behind_a_proxy_that_ends_tls(bob, sent, settings):
    settings.PUBLIC_URL = "https://files.example"
    settings.ALLOWED_HOSTS = ["files.example"]
    file = sent.add()
    (row,) = bob.get(sent.link, headers={**JSON, "Host": "files.example"}).json()["files"]
    assert row["url"] == f"https://files.example{file.download_path}"
