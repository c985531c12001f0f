"""GET /t/<token>/files/<id>, thumbnails on the link's page, and the proxy's question before /p/<token>/<id>."""

import uuid

import pytest
from django.test import Client
from django.utils import timezone

from apps.processing.models import Preview
from apps.processing.previewing import file_preview, preview_request
from apps.transfers.caching import Shelf
from apps.transfers.models import File
from tests.browser import samples

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}


@pytest.fixture
def shown(sent, publish):
    """A file of Alice's with its previews."""

    def make(name, data, to=sent, **more):
        file = publish(to, name, data, **more)
        preview_request(file_id=file.pk, content_type=file.content_type, size=file.size)
        file_preview(file_id=file.pk)
        return file

    return make


def page_of(sent, file):
    return f"{sent.link}/files/{file.pk}"


def question(client, uri, *, method="GET", **headers):
    forwarded = {"X-Forwarded-Uri": uri, "X-Forwarded-Method": method, "X-Forwarded-For": "203.0.113.5"}
    return client.get("/internal/preview", headers={**forwarded, **headers})


# A text's page gives its database connection back, which a test in a transaction would not survive.
@pytest.mark.django_db(transaction=True)
class TestPage:
    def test_a_picture_is_shown_with_its_size_so_that_nothing_jumps(self, bob, sent, shown):
        file = shown("a.jpg", samples.picture(640, 400))
        content = bob.get(page_of(sent, file)).content.decode()
        full = Preview.objects.get(file=file, kind="picture")
        assert f'src="/p/{sent.transfer.token}/{full.pk}" width="640" height="400"' in content

    def test_a_text_is_shown_line_by_line_and_nothing_of_it_runs(self, bob, sent, shown):
        file = shown("a.html", b"<html>\n<script>alert(1)</script>")
        content = bob.get(page_of(sent, file)).content.decode()
        assert "<li>&lt;script&gt;alert(1)&lt;/script&gt;</li>" in content

    def test_a_zip_is_shown_as_a_table(self, bob, sent, shown):
        file = shown("a.zip", samples.archive(**{"x/<b>.txt": b"1"}))
        assert b"x/&lt;b&gt;.txt" in bob.get(page_of(sent, file)).content

    def test_a_film_is_played_from_its_own_bytes(self, bob, sent, publish):
        file = publish(sent, "a.webm", b"x", content_type="video/webm")
        content = bob.get(page_of(sent, file)).content.decode()
        assert f'<video controls preload="metadata" src="/p/{sent.transfer.token}/{file.pk}"' in content

    def test_there_is_a_way_to_the_files_before_and_after_it(self, bob, sent, shown):
        first, middle, last = (shown(f"{name}.txt", b"x") for name in "abc")
        content = bob.get(page_of(sent, middle)).content.decode()
        assert f'href="{page_of(sent, first)}" rel="prev"' in content
        assert f'href="{page_of(sent, last)}" rel="next"' in content

    def test_a_file_with_nothing_to_look_at_leads_back_to_the_link(self, bob, sent, publish):
        file = publish(sent, "a.bin", b"\0\1")
        response = bob.get(page_of(sent, file))
        assert (response.status_code, response["Location"]) == (303, sent.link)

    def test_a_file_of_another_link_is_not_found(self, bob, sent, send, shown):
        file = shown("a.txt", b"x")
        assert bob.get(page_of(send(), file)).status_code == 404

    def test_an_unknown_file_is_not_found(self, bob, sent):
        assert bob.get(f"{sent.link}/files/{uuid.uuid4()}").status_code == 404

    def test_nothing_is_shown_before_the_password_was_given(self, bob, send, shown):
        sent = send(password="sesame")
        file = shown("a.txt", b"very secret", to=sent)
        content = bob.get(page_of(sent, file)).content
        assert b'type="password"' in content
        assert b"very secret" not in content
        assert b"a.txt" not in content

    def test_a_preview_whose_bytes_are_gone_says_so_and_the_file_can_be_had(
        self, bob, sent, shown, store_root
    ):
        file = shown("a.txt", b"x")
        (store_root / "blobs" / Preview.objects.get().blob_key).unlink()
        content = bob.get(page_of(sent, file)).content.decode()
        assert "cannot be shown at the moment" in content
        assert file.download_path in content


class TestThumbnails:
    def test_the_links_page_shows_them_once_they_are_made(self, bob, sent, shown):
        file = shown("a.jpg", samples.picture())
        thumbnail = Preview.objects.get(file=file, kind="thumbnail")
        content = bob.get(sent.link).content.decode()
        assert f'src="/p/{sent.transfer.token}/{thumbnail.pk}"' in content
        assert f'href="{page_of(sent, file)}"' in content

    def test_a_file_whose_previews_are_still_made_is_ready_without(self, bob, sent, publish):
        file = publish(sent, "a.jpg", samples.picture())
        preview_request(file_id=file.pk, content_type="image/jpeg", size=file.size)
        content = bob.get(sent.link).content.decode()
        assert "/p/" not in content
        assert file.download_path in content


class TestQuestion:
    def test_a_preview_gets_its_location_and_is_shown_in_the_page(self, bob, sent, shown):
        shown("a.jpg", samples.picture())
        thumbnail = Preview.objects.get(kind="thumbnail")
        response = question(bob, f"/p/{sent.transfer.token}/{thumbnail.pk}")
        assert response["X-Blob-Key"] == thumbnail.blob_key
        assert response["X-Blob-Type"] == "image/webp"
        assert response["X-Blob-Disposition"] == "inline"

    def test_thousands_who_look_at_it_ask_the_database_once(self, sent, shown, django_assert_num_queries):
        shown("a.jpg", samples.picture())
        uri = f"/p/{sent.transfer.token}/{Preview.objects.get(kind='thumbnail').pk}"
        question(Client(), uri)
        with django_assert_num_queries(0):
            assert question(Client(), uri)["X-Blob-Type"] == "image/webp"

    def test_it_counts_no_download(self, bob, sent, shown):
        shown("a.jpg", samples.picture())
        question(bob, f"/p/{sent.transfer.token}/{Preview.objects.get(kind='picture').pk}")
        sent.transfer.refresh_from_db()
        assert sent.transfer.download_count == 0

    def test_a_removed_file_is_not_looked_at_any_more(self, bob, sent, shown):
        file = shown("a.jpg", samples.picture())
        uri = f"/p/{sent.transfer.token}/{Preview.objects.get(kind='thumbnail').pk}"
        question(bob, uri)
        File.objects.filter(pk=file.pk).delete()
        Shelf(sent.transfer.token).change()
        assert question(bob, uri, **JSON).status_code == 404

    def test_a_password_is_asked_for(self, bob, sent, shown):
        shown("a.jpg", samples.picture())
        uri = f"/p/{sent.transfer.token}/{Preview.objects.get(kind='thumbnail').pk}"
        question(bob, uri)
        sent.change(password="a hash")
        response = question(bob, uri, **JSON)
        assert (response.status_code, "X-Blob-Key" in response.headers) == (403, False)

    def test_a_closed_link_shows_nothing(self, bob, sent, shown):
        shown("a.jpg", samples.picture())
        sent.change(closed_at=timezone.now())
        uri = f"/p/{sent.transfer.token}/{Preview.objects.get(kind='thumbnail').pk}"
        assert question(bob, uri, **JSON).status_code == 410

    def test_a_preview_behind_another_links_token_is_not_found(self, bob, send, shown):
        shown("a.jpg", samples.picture())
        uri = f"/p/{send().transfer.token}/{Preview.objects.get(kind='thumbnail').pk}"
        assert question(bob, uri, **JSON).status_code == 404


class TestPlaying:
    def uri(self, sent, publish, **more):
        values = {"content_type": "video/webm", **more}
        file = publish(sent, "a.webm", b"film", **values)
        return f"/p/{sent.transfer.token}/{file.pk}", file

    def test_a_films_bytes_are_given_in_the_page(self, bob, sent, publish):
        uri, file = self.uri(sent, publish)
        response = question(bob, uri)
        assert response["X-Blob-Key"] == file.blob_key
        assert response["X-Blob-Type"] == "video/webm"
        assert response["X-Blob-Disposition"] == "inline"

    def test_not_where_downloads_are_limited(self, bob, send, publish):
        uri, _ = self.uri(send(download_limit=5), publish)
        assert question(bob, uri, **JSON).status_code == 404

    def test_not_where_the_first_download_ends_it(self, bob, send, publish):
        uri, _ = self.uri(send(delete_after_download=True), publish)
        assert question(bob, uri, **JSON).status_code == 404

    @pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/pdf", "video/x-unknown"])
    def test_no_other_files_bytes_are(self, bob, sent, publish, kind):
        uri, _ = self.uri(sent, publish, content_type=kind)
        assert question(bob, uri, **JSON).status_code == 404
