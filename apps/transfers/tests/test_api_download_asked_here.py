"""Checks GET /d/<token>/<file> where no proxy asks before it: a plain Ingress, with an object store."""

import uuid

import pytest

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}


@pytest.fixture
def _elsewhere(settings):
    """The blobs lie in an object store, which is asked nothing for an address."""
    settings.STORE = "s3"
    settings.S3_ENDPOINT_URL = settings.S3_PUBLIC_URL = "https://s3.example.org"
    settings.S3_BUCKET, settings.S3_PREFIX = "files", ""
    settings.S3_ACCESS_KEY, settings.S3_SECRET_KEY = "AKIAQWERTYUIOPASDFGH", "0b1946ac92492d2347c6"


@pytest.mark.usefixtures("_elsewhere")
class TestWithAnObjectStore:
    def test_a_visitor_is_sent_to_the_object_store_and_counted(self, bob, sent):
        response = bob.get(sent.add("photo.jpg").download_path)
        assert response.status_code == 302
        assert response["Location"].startswith("https://s3.example.org/files/blobs/")
        assert response["Cache-Control"] == "no-store"
        sent.transfer.refresh_from_db()
        assert sent.transfer.download_count == 1

    def test_a_look_at_the_headers_is_not_counted(self, bob, sent):
        assert bob.head(sent.add().download_path).status_code == 302
        sent.transfer.refresh_from_db()
        assert sent.transfer.download_count == 0

    def test_what_a_visitor_claims_to_be_forwarded_changes_neither_the_file_nor_the_count(
        self, bob, sent, send
    ):
        mine, other = sent.add(), send(password="sesame").add()
        claims = {"X-Forwarded-Uri": other.download_path, "X-Forwarded-Method": "HEAD"}
        response = bob.get(mine.download_path, headers=claims)
        assert mine.blob_key in response["Location"]
        sent.transfer.refresh_from_db()
        assert sent.transfer.download_count == 1

    def test_a_password_is_asked_for(self, bob, send):
        response = bob.get(send(password="sesame").add().download_path, headers=JSON)
        assert (response.status_code, response.json()["error"]["code"]) == (403, "password_required")

    def test_a_used_up_link_gives_no_address(self, bob, send):
        file = send(download_limit=1).add()
        assert bob.get(file.download_path).status_code == 302
        response = bob.get(file.download_path, headers=JSON)
        assert response.json()["error"]["code"] == "download_limit_reached"

    @pytest.mark.parametrize("what", ["d", "z", "p"])
    def test_what_is_not_there_is_not_found(self, bob, sent, what):
        path = f"/{what}/{sent.transfer.token}/{uuid.uuid4()}"
        assert bob.get(path, headers=JSON).status_code == 404

    def test_other_methods_are_refused(self, bob, sent):
        assert bob.options(sent.add().download_path, headers=JSON).status_code == 405


@pytest.mark.parametrize("what", ["d", "z", "p"])
def test_with_folders_an_instance_has_no_such_address(bob, sent, what):
    path = sent.add().download_path.replace("/d/", f"/{what}/", 1)
    assert bob.get(path, headers=JSON).status_code == 404
    sent.transfer.refresh_from_db()
    assert sent.transfer.download_count == 0
