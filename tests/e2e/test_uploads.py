"""Uploads through a fleet whose instances stop in the middle."""

import hashlib
import http.client
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import redis
import requests

from tests.e2e.clients import (
    Sending,
    download,
    files_of,
    in_memory,
    random_file,
    sha256_of,
    upload,
    wait_ready,
)
from tests.e2e.fleet import Fleet, wait_until

MIB = 2**20
TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = "application/offset+octet-stream"


def test_an_upload_goes_on_while_one_instance_is_killed_and_another_stopped(
    fleet: Fleet, tmp_path: Path
) -> None:
    path = tmp_path / "big.bin"
    sha256 = random_file(path, 300 * MIB)
    url, response = upload(fleet.url, b"x", name="first.txt")
    with path.open("rb") as file:
        secret = response.headers["Transfer-Secret"]
        # About 20 MB/s: the stopped instance's drain ends well before the upload does.
        sending = Sending(fleet.url, file, name="big.bin", transfer=secret, pause_seconds=0.2)
        sender = threading.Thread(target=sending.run)
        sender.start()
        wait_until(lambda: sending.offset > 60 * MIB, 60, "60 MiB sent")
        killed = fleet.kill("web-1")
        wait_until(lambda: sending.offset > 120 * MIB, 60, "120 MiB sent")
        stopped = fleet.signal("web-2", signal.SIGTERM)
        wait_until(lambda: fleet.unit("web-2")["pid"] not in {stopped, None}, 30, "web-2 has gone")
        assert sending.offset < 300 * MIB
        sender.join(120)
    assert sending.offset == 300 * MIB
    assert len(sending.urls) == 1
    assert sending.sent_bytes - 300 * MIB <= 16 * MIB
    big = next(f for f in wait_ready(url, count=2, seconds=90) if f["name"] == "big.bin")
    assert big["sha256"] == sha256
    assert sha256_of(download(big)) == sha256
    wait_until(fleet.ready, 30, "all instances ready again")
    assert fleet.unit("web-1")["pid"] != killed
    assert fleet.unit("web-2")["pid"] != stopped


def test_forty_uploads_at_once_all_get_ready(fleet: Fleet) -> None:
    bodies = [os.urandom(5 * MIB) for _ in range(40)]
    _, first = upload(fleet.url, b"x", name="first.txt")
    secret, transfer_url = first.headers["Transfer-Secret"], first.headers["Transfer-URL"]

    def send(number: int) -> None:
        Sending(
            fleet.url, in_memory(bodies[number]), name=f"{number}.bin", chunk_bytes=2 * MIB, transfer=secret
        ).run()

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(send, range(40)))
    ready = {file["name"]: file["sha256"] for file in wait_ready(transfer_url, count=41, seconds=120)}
    assert all(ready[f"{n}.bin"] == hashlib.sha256(body).hexdigest() for n, body in enumerate(bodies))


def test_one_long_request_is_handed_over_when_its_instance_stops(fleet: Fleet) -> None:
    """A single slow PATCH: the instance that carries it drains, commits and lets go; another goes on."""
    data = os.urandom(24 * MIB)
    _, created = upload(fleet.url, b"", name="slow.bin", length=len(data))
    url = created.headers["Location"]
    carrier = threading.Thread(target=_patch_slowly, args=(fleet, url, data, 1.5))
    carrier.start()
    wait_until(lambda: _lease_instance(fleet, url), 10, "somebody holds the lease")
    fleet.signal(_lease_instance(fleet, url), signal.SIGTERM)
    carrier.join(60)
    offset = int(requests.head(url, headers=TUS, timeout=20).headers["Upload-Offset"])
    assert 0 < offset < len(data)
    rest = requests.patch(
        url,
        data=data[offset:],
        headers={**TUS, "Upload-Offset": str(offset), "Content-Type": CHUNK},
        timeout=60,
    )
    assert rest.headers["Upload-Offset"] == str(len(data))
    (ready,) = wait_ready(created.headers["Transfer-URL"])
    assert ready["sha256"] == hashlib.sha256(data).hexdigest()


def _patch_slowly(fleet: Fleet, url: str, data: bytes, megabytes_per_second: float) -> None:
    """Send a body at a set speed until the other side ends it."""
    connection = http.client.HTTPConnection("localhost", fleet.port, timeout=30)
    connection.putrequest("PATCH", url.removeprefix(fleet.url))
    headers = {**TUS, "Upload-Offset": "0", "Content-Type": CHUNK, "Content-Length": str(len(data))}
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    step = MIB // 10
    with suppress(OSError):
        for start in range(0, len(data), step):
            connection.send(data[start : start + step])
            time.sleep(0.1 / megabytes_per_second)
    connection.close()


def _lease_instance(fleet: Fleet, url: str) -> str:
    """Which instance carries an upload, or nothing."""
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        row = database.execute(
            "SELECT lease_instance FROM uploads_upload WHERE id = %s AND lease_token IS NOT NULL",
            [url.rsplit("/", 1)[1]],
        ).fetchone()
    return str(row[0]) if row else ""


def test_two_appends_at_once_one_wins_and_the_other_is_told(fleet: Fleet) -> None:
    length = 4 * MIB
    _, created = upload(fleet.url, b"", name="race.bin", length=length)
    bodies = {letter: letter.encode() * length for letter in "ab"}
    together = threading.Barrier(2)

    def append(letter: str) -> int:
        together.wait()
        return requests.patch(
            created.headers["Location"],
            data=bodies[letter],
            headers={**TUS, "Upload-Offset": "0", "Content-Type": CHUNK},
            timeout=60,
        ).status_code

    with ThreadPoolExecutor(2) as pool:
        statuses = dict(zip("ab", pool.map(append, "ab"), strict=True))
    winner = next(letter for letter, status in statuses.items() if status == 204)
    assert sorted(statuses.values())[1] in {409, 423}
    ready = wait_ready(created.headers["Transfer-URL"])[0]
    assert ready["sha256"] == hashlib.sha256(bodies[winner]).hexdigest()


def test_a_file_gets_ready_once_when_its_worker_is_killed(fleet: Fleet, tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    sha256 = random_file(path, 200 * MIB)
    _, first = upload(fleet.url, b"x", name="first.txt")
    transfer_url = first.headers["Transfer-URL"]
    with path.open("rb") as file:
        Sending(
            fleet.url, file, chunk_bytes=16 * MIB, name="big.bin", transfer=first.headers["Transfer-Secret"]
        ).run()
    assembly = fleet.data / "store" / "assembly"
    wait_until(
        lambda: assembly.is_dir() and any(p.stat().st_size for p in assembly.iterdir()), 30, "assembling"
    )
    fleet.kill("worker-1")
    states = {f["name"]: f["state"] for f in files_of(transfer_url)}
    assert states["big.bin"] == "processing"
    before = _large_blobs(fleet)
    big = next(f for f in wait_ready(transfer_url, count=2, seconds=90) if f["name"] == "big.bin")
    assert big["sha256"] == sha256
    assert sha256_of(download(big)) == sha256
    assert len(_large_blobs(fleet) - before) == 1


def _large_blobs(fleet: Fleet) -> set[Path]:
    """Published blobs of 200 MiB."""
    return {
        path for path in (fleet.data / "store" / "blobs").glob("*/*/*") if path.stat().st_size == 200 * MIB
    }


def test_a_final_refusal_is_heard_although_the_body_was_not_wanted(fleet: Fleet) -> None:
    """A server that answers and closes while bytes still come makes a proxy say 502 instead."""
    _, created = upload(fleet.url, b"", name="a.bin", length=20 * MIB)
    body = os.urandom(5 * MIB)
    headers = {**TUS, "Upload-Offset": "0", "Content-Type": "text/plain"}
    statuses = [
        requests.patch(created.headers["Location"], data=body, headers=headers, timeout=30).status_code
        for _ in range(40)
    ]
    assert set(statuses) == {415}


def test_files_get_ready_although_redis_is_flushed_in_the_middle(fleet: Fleet) -> None:
    fleet.run("stop", "worker-1")
    wait_until(lambda: fleet.unit("worker-1")["state"] == "stopped", 30, "the worker stopped")
    urls = [upload(fleet.url, os.urandom(MIB), name=f"{n}.bin")[0] for n in range(5)]
    redis.Redis.from_url(fleet.environment["REDIS_URL"]).flushall()
    fleet.run("start", "worker-1")
    for url in urls:
        wait_ready(url, seconds=60)


@pytest.mark.parametrize("name", ["page.html", "drawing.svg"])
def test_markup_opened_by_its_link_is_saved_and_not_shown(fleet: Fleet, name: str) -> None:
    body = {
        "page.html": b"<!doctype html><script>alert(1)</script>",
        "drawing.svg": b"<svg onload='alert(1)'/>",
    }
    url, _ = upload(fleet.url, body[name], name=name)
    response = download(wait_ready(url)[0])
    assert response.headers["Content-Disposition"].startswith("attachment;")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert response.headers["Content-Type"] == "application/octet-stream"
