"""Downloads: asked of Django, streamed by nginx, through Traefik."""

import hashlib
import os
from urllib.parse import quote

import pytest
import requests

from tests.e2e.clients import download, upload, wait_ready
from tests.e2e.fleet import Fleet

BODY = os.urandom(300_000)


@pytest.fixture
def ready(fleet: Fleet) -> dict[str, object]:
    url, _ = upload(fleet.url, BODY, name="naïve “plan”.bin")
    return wait_ready(url)[0]


def test_a_download_is_the_file_with_its_name(ready: dict[str, object]) -> None:
    response = download(ready)
    assert response.status_code == 200
    assert hashlib.sha256(response.content).hexdigest() == ready["sha256"]
    assert f"filename*=UTF-8''{quote('naïve “plan”.bin', safe='')}" in response.headers["Content-Disposition"]
    assert response.headers["Content-Length"] == str(len(BODY))


def test_a_range_is_that_range(ready: dict[str, object]) -> None:
    response = download(ready, Range="bytes=1000-1999")
    assert response.status_code == 206
    assert response.content == BODY[1000:2000]
    assert response.headers["Content-Range"] == f"bytes 1000-1999/{len(BODY)}"


def test_a_download_that_was_cut_off_goes_on(ready: dict[str, object]) -> None:
    first = download(ready, Range="bytes=0-99999").content
    assert first + download(ready, Range="bytes=100000-").content == BODY


def test_a_range_outside_the_file_is_refused(ready: dict[str, object]) -> None:
    assert download(ready, Range="bytes=900000-").status_code == 416


def test_an_unknown_file_is_not_found(fleet: Fleet, ready: dict[str, object]) -> None:
    address = str(ready["url"])
    assert requests.get(address[:-4] + "0000", timeout=10).status_code in {404}
    assert requests.get(f"{fleet.url}/d/nonsense/nonsense", timeout=10).status_code == 404


@pytest.mark.parametrize(
    "path", ["/blobs/", "/d/../blobs/", "/d/%2e%2e/%2e%2e/blobs/", "/static/../store/blobs/"]
)
def test_no_path_leads_around_the_question(fleet: Fleet, path: str) -> None:
    key = _some_blob(fleet)
    with requests.Session() as session:
        request = requests.Request("GET", fleet.url).prepare()
        request.url = fleet.url + path + key
        assert session.send(request, timeout=10).status_code in {400, 403, 404}


def test_the_clients_own_blob_headers_are_not_believed(fleet: Fleet) -> None:
    key = _some_blob(fleet)
    forged = {
        "X-Blob-Key": key,
        "X-Blob-Type": "text/html",
        "X-Blob-Disposition": "inline",
        "X-Blob-Expires": "9999999999",
    }
    response = requests.get(
        f"{fleet.url}/d/a/b", headers={**forged, "X-Blob-Signature": "A" * 22}, timeout=10
    )
    assert response.status_code == 404


def test_the_file_server_gives_nothing_to_who_asks_it_directly(fleet: Fleet) -> None:
    key = _some_blob(fleet)
    address = fleet.unit("nginx")["address"]
    headers = {"X-Blob-Key": key, "X-Blob-Expires": "9999999999", "X-Blob-Signature": "A" * 22}
    assert requests.get(f"http://{address}/d/a/b", headers=headers, timeout=10).status_code == 403
    assert requests.get(f"http://{address}/blobs/{key}", timeout=10).status_code == 404


def _some_blob(fleet: Fleet) -> str:
    """The key of a blob that is there, so that a hole would show."""
    url, _ = upload(fleet.url, b"secret", name="a.txt")
    wait_ready(url)
    blobs = fleet.data / "store" / "blobs"
    return next(p for p in blobs.glob("*/*/*")).relative_to(blobs).as_posix()
