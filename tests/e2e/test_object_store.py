"""A fleet whose files lie in an object store of its own: `up --store s3`."""

import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import requests

from tests.e2e.clients import Sending, download, random_file, sha256_of, upload, wait_ready
from tests.e2e.fleet import Fleet, fleet_running, wait_until

MIB = 2**20
NAME = "naïve “plan”.bin"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Two instances and an object store."""
    with fleet_running(web=2, options=("--store", "s3")) as made:
        yield made


def sent_through_a_kill(fleet: Fleet, path: Path, size: int, *victims: str) -> str:
    """Send a file while these units are killed, one after the other; the transfer's address."""
    url, response = upload(fleet.url, b"x", name="first.txt")
    with path.open("rb") as file:
        secret = response.headers["Transfer-Secret"]
        sending = Sending(fleet.url, file, name=NAME, transfer=secret, pause_seconds=0.2)
        sender = threading.Thread(target=sending.run)
        sender.start()
        for number, victim in enumerate(victims, 1):
            reached = number * size // (len(victims) + 1)
            wait_until(lambda reached=reached: sending.offset > reached, 60, f"{reached} bytes sent")  # type: ignore[misc]
            fleet.kill(victim)
        sender.join(150)
    assert sending.offset == size
    assert len(sending.urls) == 1
    return url


def test_an_upload_survives_its_instance_and_its_object_store_and_comes_back_whole(
    fleet: Fleet, tmp_path: Path
) -> None:
    path = tmp_path / "big.bin"
    size = 80 * MIB + 7
    sha256 = random_file(path, size)
    url = sent_through_a_kill(fleet, path, size, "web-1", "s3")
    big = next(f for f in wait_ready(url, count=2, seconds=90) if f["name"] == NAME)
    assert big["sha256"] == sha256
    answer = download(big)
    assert [each.status_code for each in answer.history] == [302]
    assert urlsplit(answer.url).netloc == urlsplit(fleet.url).netloc
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert "Seaweed-X-Amz-Owner" not in answer.headers
    assert sha256_of(answer) == sha256
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert f"filename*=UTF-8''{quote(NAME, safe='')}" in answer.headers["Content-Disposition"]
    assert list((fleet.data / "store").rglob("*/*/*")) == []
    wait_until(fleet.ready, 40, "all instances ready again")


def test_a_range_and_the_headers_alone_come_from_the_object_store_too(fleet: Fleet) -> None:
    url, _ = upload(fleet.url, b"hello world", name="a.txt")
    file = wait_ready(url)[0]
    part = download(file, Range="bytes=6-")
    assert (part.status_code, part.content, len(part.history)) == (206, b"world", 1)
    head = requests.head(file["url"], allow_redirects=True, timeout=10)
    assert (head.status_code, head.headers["Content-Length"], len(head.history)) == (200, "11", 1)
    assert head.headers["Content-Type"] == "text/plain"


def test_a_fleet_keeps_its_store_and_its_files_when_it_is_started_again(fleet: Fleet) -> None:
    url, _ = upload(fleet.url, b"hello world", name="a.txt")
    file = wait_ready(url)[0]
    fleet.down()
    refused = fleet.run("up", "--store", "filesystem", "--port", str(fleet.port), "--detach", check=False)
    assert refused.returncode != 0
    assert "in its store 's3'" in refused.stderr
    # As people do it: without saying once more what the fleet knows.
    fleet.run("up", "--port", str(fleet.port), "--detach")
    assert fleet.unit("s3")["state"] == "ready"
    assert download(file).content == b"hello world"


def test_nothing_of_the_object_store_but_what_was_signed_can_be_reached(fleet: Fleet) -> None:
    url, _ = upload(fleet.url, b"hello world", name="a.txt")
    signed = requests.get(wait_ready(url)[0]["url"], allow_redirects=False, timeout=10).headers["Location"]
    plain, _, query = signed.partition("?")
    bucket = fleet.environment["S3_BUCKET"]
    assert requests.get(signed, timeout=10).content == b"hello world"
    for address in (
        plain, f"{plain}x?{query}", f"{fleet.url}/{bucket}/", f"{fleet.url}/{bucket}/?{query}",
        f"{fleet.url}/{bucket}/?list-type=2&X-Amz-Signature=x", f"{fleet.url}/?{query}",
    ):  # fmt: skip
        answer = requests.get(address, timeout=10)
        assert b"hello world" not in answer.content
        assert b"ListBucketResult" not in answer.content
    assert requests.put(signed, data=b"changed", timeout=10).status_code in {403, 404, 405}
    assert requests.delete(signed, timeout=10).status_code in {403, 404, 405}
    assert requests.get(signed, timeout=10).content == b"hello world"


def test_a_session_cookie_does_not_reach_the_object_store(fleet: Fleet) -> None:
    """Nor does an Authorization header, which would be a second signature and so a refusal."""
    url, _ = upload(fleet.url, b"hello world", name="a.txt")
    signed = requests.get(wait_ready(url)[0]["url"], allow_redirects=False, timeout=10).headers["Location"]
    answer = requests.get(signed, headers={"Authorization": "Basic eDp5", "Cookie": "a=b"}, timeout=10)
    assert (answer.status_code, answer.content) == (200, b"hello world")
