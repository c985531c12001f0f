"""How an instance answers for assets: of its own release from its folder, of the others' from the object store."""

import gzip
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from apps.uploads import assets
from apps.uploads.store import asset_store

HASHED = "build/page.0123456789ab.css"
BODY = b"body { color: teal }\n" * 100


@pytest.fixture(autouse=True)
def _forgotten():
    """What one test keeps in memory is none of the next one's business."""
    assets._small.cache_clear()
    yield
    assets._small.cache_clear()


@pytest.fixture
def folder(settings, tmp_path: Path) -> Path:
    """A release's assets: one with a hash in its name, one without, and the manifest."""
    (tmp_path / "build").mkdir()
    manifest = {"paths": {"build/page.css": HASHED}, "version": "1.1", "hash": ""}
    (tmp_path / f"staticfiles.{settings.RELEASE}.json").write_text(json.dumps(manifest))
    (tmp_path / HASHED).write_bytes(BODY)
    (tmp_path / "build" / "page.css").write_bytes(BODY)
    (tmp_path / ".collected.test").write_text("secret")
    # Last: Django reads the manifest anew for it.
    settings.STATIC_ROOT = str(tmp_path)
    return tmp_path


@pytest.fixture
def client() -> Client:
    return Client()


def test_an_asset_of_this_release_is_given_for_ever(client, folder):
    response = client.get(f"/static/{HASHED}")
    assert (response.status_code, response.content) == (200, BODY)
    assert response["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response["Content-Type"] == "text/css; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "sandbox" in response["Content-Security-Policy"]


def test_it_is_the_same_for_everybody(client, folder):
    response = client.get(f"/static/{HASHED}")
    assert response["Vary"] == "Accept-Encoding"
    assert not response.cookies


def test_it_is_packed_for_who_can_unpack(client, folder):
    response = client.get(f"/static/{HASHED}", headers={"Accept-Encoding": "gzip, br"})
    assert response["Content-Encoding"] == "gzip"
    assert int(response["Content-Length"]) == len(response.content) < len(BODY)
    assert gzip.decompress(response.content) == BODY


def test_a_look_at_the_headers_gets_no_bytes(client, folder):
    response = client.head(f"/static/{HASHED}")
    assert (response.content, response["Content-Length"]) == (b"", str(len(BODY)))


def test_a_name_without_a_hash_may_have_other_bytes_tomorrow(client, folder):
    assert client.get("/static/build/page.css")["Cache-Control"] == "no-store"
    (folder / "build" / "page.css").write_bytes(b"other")
    assert client.get("/static/build/page.css").content == b"other"


@pytest.mark.parametrize(
    "name",
    [
        "nothing.0123456789ab.css",
        "../conftest.py",
        "build/../../etc/passwd",
        ".collected.test",
        "build",
        "",
        "%00",
        # Longer than any file's name may be.
        "a" * 300,
        f"{'a' * 300}.0123456789ab.css",
        f"{'%C3%A4' * 150}.css",
    ],
)
def test_nothing_else_is_given(client, folder, name):
    response = client.get(f"/static/{name}")
    assert (response.status_code, response["Cache-Control"]) == (404, "no-store")


def test_nothing_can_be_sent_there(client, folder):
    assert client.post(f"/static/{HASHED}").status_code == 405


def test_with_folders_no_store_is_asked(settings):
    assert settings.STORE == "filesystem"
    assert asset_store() is None
    with pytest.raises(CommandError, match="STORE is not s3"):
        call_command("publish_assets")


def test_assets_without_a_manifest_are_not_published(s3_store, folder, settings):
    (folder / f"staticfiles.{settings.RELEASE}.json").unlink()
    settings.STATIC_ROOT = str(folder)
    with pytest.raises(CommandError, match="collectstatic did not run"):
        call_command("publish_assets")


def test_an_asset_that_would_be_cut_off_is_not_published(s3_store, folder):
    with (folder / HASHED).open("ab") as file:
        file.truncate(assets._MOST_BYTES + 1)
    with pytest.raises(CommandError, match=HASHED):
        call_command("publish_assets")
    store = asset_store()
    assert store is not None
    assert store.blob_size(HASHED) is None


class TestOtherReleases:
    @pytest.fixture
    def published(self, s3_store, folder: Path) -> Path:
        """Another release's asset lies in the store; this release has none of it."""
        call_command("publish_assets")
        (folder / HASHED).unlink()
        return folder

    def test_an_asset_of_another_release_comes_from_the_store(self, client, published):
        response = client.get(f"/static/{HASHED}")
        assert (response.status_code, response.content) == (200, BODY)
        assert response["Cache-Control"] == "public, max-age=31536000, immutable"

    def test_it_is_asked_for_once(self, client, published, settings):
        assert client.get(f"/static/{HASHED}").status_code == 200
        settings.S3_ENDPOINT_URL = "http://127.0.0.1:1"
        assert client.get(f"/static/{HASHED}").status_code == 200

    def test_one_that_no_release_has_is_not_found(self, client, published):
        assert client.get("/static/build/page.ba9876543210.css").status_code == 404

    def test_who_makes_names_up_is_refused_before_the_store_is_asked(self, client, published, settings):
        settings.THROTTLES = settings.THROTTLES | {"link_open": "2/minute"}
        made_up = [f"/static/build/page.ba987654321{number}.css" for number in range(3)]
        assert [client.get(path).status_code for path in made_up] == [404, 404, 429]
        settings.S3_ENDPOINT_URL = "http://127.0.0.1:1"
        refused = client.get(made_up[0])
        assert (refused.status_code, refused["Cache-Control"]) == (429, "no-store")
        assert 1 <= int(refused["Retry-After"]) <= 60

    def test_what_there_is_costs_nobody_a_guess(self, client, published, settings):
        settings.THROTTLES = settings.THROTTLES | {"link_open": "1/minute"}
        for _ in range(3):
            assets._small.cache_clear()
            assert client.get(f"/static/{HASHED}").status_code == 200

    def test_what_is_in_memory_is_given_to_who_is_refused(self, client, published, settings):
        settings.THROTTLES = settings.THROTTLES | {"link_open": "1/minute"}
        assert client.get(f"/static/{HASHED}").status_code == 200
        assert client.get("/static/build/page.ba9876543210.css").status_code == 404
        assert client.get("/static/build/page.ba9876543210.css").status_code == 429
        assert client.get(f"/static/{HASHED}").status_code == 200

    def test_one_that_came_later_is_found(self, client, published, s3_store):
        later = "build/late.ba9876543210.css"
        assert client.get(f"/static/{later}").status_code == 404
        store = asset_store()
        assert store is not None
        writer = store.open_blob(later)
        writer.write(b"late")
        writer.commit()
        assert client.get(f"/static/{later}").content == b"late"

    def test_a_store_that_is_away_is_said_to_be_and_asked_again(self, client, published, settings):
        settings.S3_ENDPOINT_URL = "http://127.0.0.1:1"
        response = client.get(f"/static/{HASHED}")
        assert (response.status_code, response["Retry-After"]) == (503, "1")

    def test_no_other_object_can_be_reached(self, client, published, s3_store):
        key = "ab/cd/abcd0000000000000000000000000000.0123456789ab.bin"
        writer = s3_store.open_blob(key)
        writer.write(b"a blob")
        writer.commit()
        assert client.get(f"/static/{key}").status_code == 404
        assert client.get(f"/static/../blobs/{key}").status_code == 404

    def test_no_sweep_of_blobs_sees_the_assets(self, published, s3_store):
        assert list(s3_store.old_blobs(-1)) == []

    def test_publishing_again_publishes_nothing(self, s3_store, folder, capsys):
        call_command("publish_assets")
        call_command("publish_assets")
        assert capsys.readouterr().out.split("\n")[:2] == ["assets: 1 published", "assets: 0 published"]


def test_every_name_of_the_manifest_is_one_that_other_releases_may_be_asked_for(settings):
    manifest = json.loads((Path(settings.STATIC_ROOT) / f"staticfiles.{settings.RELEASE}.json").read_text())
    assert [name for name in manifest["paths"].values() if not assets._HASHED.fullmatch(name)] == []
