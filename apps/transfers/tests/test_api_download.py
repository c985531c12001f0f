"""Checks GET /internal/download: the proxy's question before each download, asked as the proxy asks it."""

import re
import time
from datetime import timedelta

import pytest
import requests
from django.test import Client
from django.utils import timezone

from apps.transfers.rules import FileState

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def ask(client, uri, *, method="GET", address="203.0.113.5", **headers):
    """As the proxy asks: it names the visitor's address, and adds nothing of its own on the internal way."""
    forwarded = {
        "X-Forwarded-Uri": uri,
        "X-Forwarded-Method": method,
        "X-Forwarded-For": address,
    }
    return client.get("/internal/download", headers={**forwarded, **headers})


def downloads(sent):
    sent.transfer.refresh_from_db()
    return sent.transfer.download_count


def refusal(response):
    """(status, code) of a refusal, which must never look like a permission."""
    assert "X-Blob-Key" not in response.headers
    assert response.status_code >= 400
    return response.status_code, response.json()["error"]["code"]


class TestAnswer:
    def test_a_ready_file_gets_its_location_in_headers(self, bob, sent):
        file = sent.add("photo.jpg", content_type="image/jpeg")
        response = ask(bob, file.download_path)
        assert (response.status_code, response.content) == (200, b"")
        assert response["X-Blob-Key"] == file.blob_key
        assert response["X-Blob-Type"] == "image/jpeg"
        assert response["X-Blob-Disposition"].startswith('attachment; filename="photo.jpg"')
        assert 0 < int(response["X-Blob-Expires"]) - time.time() <= 60
        assert re.fullmatch(r"[A-Za-z0-9_-]{22}", response["X-Blob-Signature"])

    def test_a_page_is_served_as_opaque_bytes(self, bob, sent):
        file = sent.add("page.html", content_type="text/html")
        assert ask(bob, file.download_path)["X-Blob-Type"] == "application/octet-stream"

    def test_it_is_never_stored(self, bob, sent):
        assert ask(bob, sent.add().download_path)["Cache-Control"] == "no-store"

    def test_it_takes_one_read_and_one_counting_statement(self, bob, sent, django_assert_num_queries):
        address = sent.add().download_path
        with django_assert_num_queries(2):
            ask(bob, address)

    def test_a_query_in_the_address_changes_nothing(self, bob, sent):
        assert ask(bob, f"{sent.add().download_path}?token=x").status_code == 200

    def test_a_look_at_the_headers_is_allowed_and_not_counted(self, bob, sent):
        assert ask(bob, sent.add().download_path, method="HEAD").status_code == 200
        assert downloads(sent) == 0

    def test_a_broken_download_goes_on_uncounted(self, bob, send):
        sent = send(download_limit=1)
        file = sent.add()
        assert ask(bob, file.download_path).status_code == 200
        assert ask(bob, file.download_path, Range="bytes=500-").status_code == 200
        assert downloads(sent) == 1

    def test_a_conditional_continuation_is_counted_since_it_may_get_the_whole_file(self, bob, send):
        file = send(download_limit=1).add()
        assert ask(bob, file.download_path).status_code == 200
        again = {"Range": "bytes=1-", "If-Range": '"another"', **JSON}
        assert refusal(ask(bob, file.download_path, **again)) == (403, "download_limit_reached")

    def test_a_continuation_from_another_address_is_not_given_the_same_download(self, bob, send):
        file = send(download_limit=1).add()
        ask(bob, file.download_path)
        response = ask(bob, file.download_path, address="198.51.100.7", Range="bytes=500-", **JSON)
        assert refusal(response) == (403, "download_limit_reached")

    def test_an_address_that_the_visitor_made_up_changes_nothing(self, bob, send):
        """Only the entry that the proxy itself wrote counts; what stands before it came from outside."""
        file = send(download_limit=1).add()
        ask(bob, file.download_path, address="203.0.113.5")
        made_up = "203.0.113.5, 198.51.100.7"
        spoofed = ask(bob, file.download_path, address=made_up, Range="bytes=5-", **JSON)
        assert refusal(spoofed) == (403, "download_limit_reached")


class TestRefusals:
    def test_an_unknown_file_is_not_found(self, bob, sent):
        uri = f"/d/{sent.transfer.token}/0b9fa23c-5dd4-4ef5-a8bb-0b2f1c8f8f10"
        assert refusal(ask(bob, uri, **JSON)) == (404, "not_found")

    def test_a_file_is_not_found_under_another_link(self, bob, sent, send):
        file = sent.add()
        assert refusal(ask(bob, f"/d/{send().transfer.token}/{file.pk}", **JSON)) == (404, "not_found")

    @pytest.mark.parametrize(
        "uri", ["", "/", "/d/x/y", "/static/app.js", "/d/../internal/download", "/d/%2e/\xff"]
    )
    def test_any_other_address_is_not_found(self, bob, db, uri):
        assert refusal(ask(bob, uri, **JSON)) == (404, "not_found")

    def test_a_question_without_an_address_is_not_found(self, bob, db):
        assert bob.get("/internal/download").status_code == 404

    def test_an_expired_link_is_gone(self, bob, sent):
        file = sent.add()
        sent.change(expires_at=timezone.now() - timedelta(seconds=1))
        assert refusal(ask(bob, file.download_path, **JSON)) == (410, "transfer_expired")

    def test_a_file_that_still_arrives_is_not_ready(self, bob, sent):
        file = sent.add(state=FileState.UPLOADING)
        assert refusal(ask(bob, file.download_path, **JSON)) == (409, "file_not_ready")

    def test_a_rejected_file_is_gone(self, bob, sent):
        file = sent.add(state=FileState.REJECTED)
        assert refusal(ask(bob, file.download_path, **JSON)) == (410, "file_rejected")

    def test_a_used_up_link_is_refused(self, bob, send):
        file = send(download_limit=1).add()
        ask(bob, file.download_path)
        assert refusal(ask(bob, file.download_path, **JSON)) == (403, "download_limit_reached")

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get-me"])
    def test_a_download_is_only_read(self, bob, sent, method):
        response = ask(bob, sent.add().download_path, method=method, **JSON)
        assert refusal(response) == (405, "method_not_allowed")
        assert response["Allow"] == "GET, HEAD"
        assert downloads(sent) == 0

    def test_the_question_itself_is_only_read(self, sent):
        assert Client().post("/internal/download").status_code == 405

    def test_guessing_is_throttled_and_right_addresses_go_on(self, bob, sent, settings):
        settings.THROTTLES = {**settings.THROTTLES, "link_open": "2/minute"}
        guesses = [ask(bob, "/d/x/y", **JSON) for _ in range(3)]
        assert [g.status_code for g in guesses] == [404, 404, 429]
        assert ask(bob, sent.add().download_path).status_code == 200

    def test_a_refusal_is_not_counted_as_a_download(self, bob, sent):
        ask(bob, sent.add(state=FileState.PROCESSING).download_path)
        assert downloads(sent) == 0


class TestPagesForPeople:
    def test_a_browser_gets_a_page_for_a_used_up_link(self, bob, send):
        file = send(download_limit=1).add()
        ask(bob, file.download_path)
        page = ask(bob, file.download_path, **BROWSER)
        assert page.status_code == 403
        assert b"used up" in page.content

    def test_a_browser_gets_a_page_for_an_expired_link(self, bob, sent):
        file = sent.add()
        sent.change(expires_at=timezone.now() - timedelta(days=2))
        page = ask(bob, file.download_path, **BROWSER)
        assert page.status_code == 410
        assert b"expired on" in page.content

    def test_a_browser_gets_a_page_for_a_file_that_is_not_ready(self, bob, sent):
        page = ask(bob, sent.add(state=FileState.PROCESSING).download_path, **BROWSER)
        assert page.status_code == 409
        assert b"Not ready yet" in page.content


class TestPassword:
    @pytest.fixture
    def file(self, send):
        sent = send(password="sesame")
        return sent.add()

    def unlock(self, client, file):
        link = f"/t/{file.transfer.token}"
        client.get(link)
        form = {"password": "sesame", "csrfmiddlewaretoken": client.cookies["csrftoken"].value}
        assert client.post(f"{link}/password", form).status_code == 303

    def test_without_it_nothing_is_given(self, bob, file):
        assert refusal(ask(bob, file.download_path, **JSON)) == (403, "password_required")

    def test_a_browser_is_asked_for_it_and_it_does_not_look_like_a_permission(self, bob, file):
        page = ask(bob, file.download_path, **BROWSER)
        assert page.status_code == 403
        assert b'name="password"' in page.content

    def test_the_session_that_gave_it_may_download(self, bob, file):
        self.unlock(bob, file)
        assert ask(bob, file.download_path).status_code == 200

    def test_another_session_may_not(self, bob, charlie, file):
        self.unlock(bob, file)
        assert refusal(ask(charlie, file.download_path, **JSON)) == (403, "password_required")

    def test_a_program_sends_it_in_a_header(self, bob, file):
        assert ask(bob, file.download_path, **{"Transfer-Password": "sesame"}).status_code == 200

    def test_a_wrong_one_in_the_header_is_refused(self, bob, file):
        response = ask(bob, file.download_path, **{"Transfer-Password": "no"}, **JSON)
        assert refusal(response) == (403, "password_wrong")

    def test_guessing_it_here_is_throttled_together_with_the_page(self, bob, file, settings):
        settings.THROTTLES = {**settings.THROTTLES, "password": "2/minute"}
        guess = {"Transfer-Password": "no", **JSON}
        assert [ask(bob, file.download_path, **guess).status_code for _ in range(3)] == [403, 403, 429]
        form, at = {"password": "sesame"}, {"X-Forwarded-For": "203.0.113.5", **JSON}
        page = Client().post(f"/t/{file.transfer.token}/password", form, headers=at)
        assert page.status_code == 429

    def test_guessing_it_is_throttled_after_somebody_else_has_opened_it(self, bob, charlie, file, settings):
        settings.THROTTLES = {**settings.THROTTLES, "password": "2/minute"}
        assert ask(bob, file.download_path, **{"Transfer-Password": "sesame"}).status_code == 200
        guesses = ("a", "b", "c", "sesame")
        told = [self.guess(charlie, file, each, "198.51.100.7") for each in guesses]
        assert told == [403, 403, 429, 429]

    def test_guessing_it_is_throttled_where_it_was_given_before(self, bob, file, settings):
        settings.THROTTLES = {**settings.THROTTLES, "password": "2/minute"}
        told = [self.guess(bob, file, each, "203.0.113.5") for each in ("sesame", "a", "b", "c", "sesame")]
        assert told == [200, 403, 403, 429, 429]

    def test_sending_the_right_one_each_time_is_not_throttled(self, bob, file, settings):
        settings.THROTTLES = {**settings.THROTTLES, "password": "1/minute"}
        assert {self.guess(bob, file, "sesame", "203.0.113.5") for _ in range(5)} == {200}

    def guess(self, client, file, password, address):
        headers = {"Transfer-Password": password, **JSON}
        return ask(client, file.download_path, address=address, **headers).status_code

    def test_a_grant_for_another_transfer_does_not_help(self, bob, file, send):
        self.unlock(bob, send(password="sesame").add())
        assert refusal(ask(bob, file.download_path, **JSON)) == (403, "password_required")

    def test_a_refused_password_is_not_counted_as_a_download(self, bob, file):
        ask(bob, file.download_path)
        file.transfer.refresh_from_db()
        assert file.transfer.download_count == 0


class TestObjectStore:
    """The blobs lie in an object store: the answer is an address there."""

    @pytest.fixture
    def stored(self, s3_store, sent):
        """A file of Alice's whose bytes are really there."""
        file = sent.add("grüße.txt", content_type="text/plain")
        writer = s3_store.open_blob(file.blob_key)
        writer.write(b"hello world")
        writer.commit()
        return file

    def test_a_download_is_sent_to_the_object_store_with_its_name_and_type(self, bob, stored):
        response = ask(bob, stored.download_path)
        assert (response.status_code, response.content) == (302, b"")
        assert "X-Blob-Key" not in response.headers
        assert response["Cache-Control"] == "no-store"
        assert response["Referrer-Policy"] == "no-referrer"
        answer = requests.get(response["Location"], timeout=10)
        assert (answer.status_code, answer.content) == (200, b"hello world")
        assert answer.headers["Content-Type"] == "text/plain"
        assert "filename*=UTF-8''gr%C3%BC%C3%9Fe.txt" in answer.headers["Content-Disposition"]

    def test_a_look_at_the_headers_is_sent_to_an_address_for_headers_and_not_counted(self, bob, sent, stored):
        response = ask(bob, stored.download_path, method="HEAD")
        assert response.status_code == 302
        answer = requests.head(response["Location"], timeout=10)
        assert (answer.status_code, answer.headers["Content-Length"]) == (200, "11")
        assert downloads(sent) == 0

    def test_a_download_is_counted_and_its_continuation_is_not(self, bob, sent, stored):
        assert ask(bob, stored.download_path).status_code == 302
        assert ask(bob, stored.download_path, Range="bytes=5-").status_code == 302
        assert downloads(sent) == 1

    def test_a_used_up_transfer_gives_no_address(self, bob, send, s3_store):
        file = send(download_limit=1).add("a.txt")
        assert ask(bob, file.download_path).status_code == 302
        assert refusal(ask(bob, file.download_path, **JSON)) == (403, "download_limit_reached")

    def test_a_page_is_never_shown_as_one(self, bob, sent, s3_store):
        file = sent.add("page.html", content_type="text/html")
        location = ask(bob, file.download_path)["Location"]
        assert "response-content-type=application%2Foctet-stream" in location
        assert "response-content-disposition=attachment" in location

    def test_the_address_ends_after_five_minutes(self, bob, stored):
        assert "X-Amz-Expires=300" in ask(bob, stored.download_path)["Location"]

    def test_an_object_store_that_is_away_does_not_keep_anybody_waiting_for_the_answer(
        self, bob, sent, s3_store, settings
    ):
        settings.S3_ENDPOINT_URL = settings.S3_PUBLIC_URL = "http://127.0.0.1:1"
        assert ask(bob, sent.add().download_path).status_code == 302
