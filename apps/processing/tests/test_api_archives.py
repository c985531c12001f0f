"""POST /t/<token>/archives, GET /t/<token>/archives/<id>, and the proxy's question before /z/<token>/<id>."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.processing.archiving import archive_make
from apps.processing.models import Archive
from apps.transfers.rules import FileState

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}


@pytest.fixture
def files(sent, publish):
    return [publish(sent, f"{name}.txt", b"hello") for name in "abc"]


def ask(client, sent, **data):
    """As the page's form asks."""
    token = client.get(sent.link).cookies["csrftoken"].value
    return client.post(f"{sent.link}/archives", {"csrfmiddlewaretoken": token, **data})


def question(client, uri, *, method="GET", **headers):
    forwarded = {"X-Forwarded-Uri": uri, "X-Forwarded-Method": method, "X-Forwarded-For": "203.0.113.5"}
    return client.get("/internal/archive", headers={**forwarded, **headers})


class TestAsking:
    def test_all_files_become_one_archive_and_its_page_is_shown(self, bob, sent, files):
        response = ask(bob, sent, all="1")
        archive = Archive.objects.get()
        assert (response.status_code, response["Location"]) == (303, archive.page_path)
        assert set(archive.file_ids) == {file.pk for file in files}

    def test_some_files_become_one_of_their_own(self, bob, sent, files):
        ask(bob, sent, file=[str(file.pk) for file in files[:2]])
        assert set(Archive.objects.get().file_ids) == {file.pk for file in files[:2]}

    def test_one_file_needs_no_archive(self, bob, sent, files):
        response = ask(bob, sent, file=str(files[0].pk))
        assert (response.status_code, response["Location"]) == (303, files[0].download_path)
        assert not Archive.objects.exists()

    def test_nothing_chosen_is_refused(self, bob, sent, files):
        assert ask(bob, sent).status_code == 400

    def test_files_of_another_transfer_are_not_in_it(self, bob, sent, send, publish, files):
        other = publish(send(), "other.txt", b"secret")
        ask(bob, sent, file=[str(files[0].pk), str(files[1].pk), str(other.pk)])
        assert other.pk not in Archive.objects.get().file_ids

    def test_what_is_no_id_is_no_file(self, bob, sent, files):
        assert ask(bob, sent, file=["x", "' OR 1=1"]).status_code == 400

    def test_files_that_are_not_ready_are_left_out(self, bob, sent, files):
        late = sent.add("late.txt", FileState.PROCESSING)
        ask(bob, sent, all="1")
        assert late.pk not in Archive.objects.get().file_ids

    def test_the_second_visitor_gets_the_same(self, bob, charlie, sent, files):
        assert ask(bob, sent, all="1")["Location"] == ask(charlie, sent, all="1")["Location"]

    def test_a_form_of_another_site_is_refused(self, bob, sent, files):
        assert bob.post(f"{sent.link}/archives", {"all": "1"}).status_code == 403

    def test_too_many_new_ones_are_refused_but_not_those_there_are(self, bob, sent, files, settings):
        settings.THROTTLES = {**settings.THROTTLES, "archive": "1/minute"}
        ask(bob, sent, all="1")
        assert ask(bob, sent, all="1").status_code == 303
        assert ask(bob, sent, file=[str(file.pk) for file in files[1:]]).status_code == 429

    def test_a_link_that_is_used_up_packs_nothing(self, bob, send, publish):
        sent = send(download_limit=1)
        for name in "ab":
            publish(sent, name, b"x")
        sent.change(download_count=1)
        token = bob.get("/accounts/login/").cookies["csrftoken"].value
        response = bob.post(f"{sent.link}/archives", {"csrfmiddlewaretoken": token, "all": "1"})
        assert response.status_code == 403
        assert not Archive.objects.exists()

    def test_a_full_store_is_said_to_be(self, bob, sent, files, settings):
        settings.MIN_FREE_BYTES = 2**62
        response = ask(bob, sent, all="1")
        assert response.status_code == 507
        assert b"one by one" in response.content

    def test_nothing_is_packed_before_the_password_was_given(self, bob, send, publish):
        sent = send(password="sesame")
        for name in "ab":
            publish(sent, name, b"x")
        assert b'type="password"' in ask(bob, sent, all="1").content
        assert not Archive.objects.exists()


class TestPage:
    def test_it_says_how_far_it_is_and_looks_again_without_a_script(self, bob, sent, files):
        page = ask(bob, sent, all="1")["Location"]
        Archive.objects.update(state="making", bytes_done=7)
        content = bob.get(page).content.decode()
        assert 'max="15" value="7"' in content
        assert '<noscript><meta http-equiv="refresh"' in content
        assert "data-pending" in content

    def test_once_it_is_ready_it_can_be_downloaded(self, bob, sent, files):
        page = ask(bob, sent, all="1")["Location"]
        archive = Archive.objects.get()
        archive_make(archive_id=archive.pk)
        content = bob.get(page).content.decode()
        assert f'href="{archive.download_path}"' in content
        assert "data-pending" not in content
        assert "http-equiv" not in content

    def test_one_that_failed_says_why(self, bob, sent, files):
        page = ask(bob, sent, all="1")["Location"]
        Archive.objects.update(state="failed", reason="Some of these files are gone.")
        assert b"Some of these files are gone." in bob.get(page).content

    def test_htmx_gets_only_what_changes(self, bob, sent, files):
        page = ask(bob, sent, all="1")["Location"]
        content = bob.get(page, headers={"HX-Request": "true"}).content
        assert b"<progress" in content
        assert b"<html" not in content

    def test_a_program_gets_json(self, bob, sent, files):
        page = ask(bob, sent, all="1")["Location"]
        archive = Archive.objects.get()
        assert bob.get(page, headers=JSON).json() == {
            "state": "waiting",
            "reason": "",
            "bytes_done": 0,
            "bytes_total": 15,
            "size": 0,
            "url": f"http://testserver{archive.download_path}",
        }

    def test_an_archive_of_another_link_is_not_found(self, bob, sent, send, files):
        ask(bob, sent, all="1")
        other = send()
        assert bob.get(f"{other.link}/archives/{Archive.objects.get().pk}").status_code == 404

    def test_an_unknown_archive_is_not_found(self, bob, sent):
        assert bob.get(f"{sent.link}/archives/{uuid.uuid4()}").status_code == 404

    def test_it_is_behind_the_password_too(self, bob, charlie, sent, files):
        page = ask(bob, sent, all="1")["Location"]
        sent.change(password="a hash")
        assert b'type="password"' in bob.get(page).content

    def test_an_expired_link_says_so(self, bob, sent, files):
        page = ask(bob, sent, all="1")["Location"]
        sent.change(expires_at=timezone.now() - timedelta(days=1))
        assert bob.get(page).status_code == 410


class TestQuestion:
    @pytest.fixture
    def archive(self, bob, sent, files):
        ask(bob, sent, all="1")
        archive = Archive.objects.get()
        archive_make(archive_id=archive.pk)
        archive.refresh_from_db()
        return archive

    def test_a_ready_archive_gets_its_location_in_headers(self, bob, archive):
        response = question(bob, archive.download_path)
        assert (response.status_code, response.content) == (200, b"")
        assert response["X-Blob-Key"] == archive.blob_key
        assert response["X-Blob-Type"] == "application/zip"
        assert "Holiday.zip" in response["X-Blob-Disposition"]

    def test_one_in_the_making_gets_none(self, bob, archive):
        Archive.objects.update(state="making")
        response = question(bob, archive.download_path, **JSON)
        assert (response.status_code, "X-Blob-Key" in response.headers) == (409, False)

    def test_a_password_is_asked_for(self, bob, sent, archive):
        sent.change(password="a hash")
        response = question(bob, archive.download_path, **JSON)
        assert (response.status_code, "X-Blob-Key" in response.headers) == (403, False)

    def test_a_used_up_link_gets_none(self, bob, sent, archive):
        sent.change(download_limit=1, download_count=1)
        response = question(bob, archive.download_path, **JSON)
        assert response.json()["error"]["code"] == "download_limit_reached"

    def test_an_archive_behind_another_links_token_is_not_found(self, bob, send, archive):
        other = send()
        assert question(bob, f"/z/{other.transfer.token}/{archive.pk}", **JSON).status_code == 404

    @pytest.mark.parametrize("what", ["d", "p"])
    def test_an_address_of_another_kind_is_not_answered(self, bob, sent, archive, what):
        uri = f"/{what}/{sent.transfer.token}/{archive.pk}"
        assert question(bob, uri, **JSON).status_code == 404
