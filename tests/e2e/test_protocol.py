"""The upload protocol as real clients speak it, through the proxy: curl's PUT, tus-js-client's extensions."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from tests.e2e.clients import download, random_file, sha256_of, upload, wait_ready
from tests.e2e.fleet import Fleet, wait_until
from tests.survive.sending import install_node_client, path_with_node

MIB = 2**20
TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = "application/offset+octet-stream"
PROGRAM = Path(__file__).with_name("upload_by_tus_js.mjs")


def curl(*arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["curl", "-s", *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )


# A plain PUT


@pytest.mark.parametrize("name", ["big.iso", "a b% é;#1?.txt"])
def test_curl_prints_the_link_of_what_it_put_and_nothing_else(
    fleet: Fleet, tmp_path: Path, name: str
) -> None:
    sha256 = random_file(tmp_path / name, 40 * MIB)
    done = curl("-T", str(tmp_path / name), f"{fleet.url}/")
    assert (done.returncode, done.stderr) == (0, "")
    link = done.stdout.removesuffix("\n")
    assert link.startswith(f"{fleet.url}/t/")
    assert "\n" not in link
    (file,) = wait_ready(link)
    assert (file["name"], file["sha256"]) == (name, sha256)
    assert sha256_of(download(file)) == sha256


def test_a_refused_put_is_told_why_before_a_byte_of_it_is_sent(fleet: Fleet, tmp_path: Path) -> None:
    path = tmp_path / "huge.bin"
    path.touch()
    os.truncate(path, 3 * 2**30)
    for _ in range(10):
        refused = curl(
            "-T",
            str(path),
            "-H",
            "Transfer-Expires-Days: many",
            f"{fleet.url}/",
            "-w",
            "%{http_code} %{size_upload}",
        )
        why, told = refused.stdout.splitlines()
        assert why.startswith("Transfer-Expires-Days must be a whole number.")
        assert told == "400 0"


def test_a_put_of_unknown_length_is_told_why_in_one_line(fleet: Fleet) -> None:
    for _ in range(10):
        done = subprocess.run(
            ["curl", "-s", "-T", "-", f"{fleet.url}/x.bin"],
            input=b"x" * 4 * MIB, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.stdout.count(b"\n") == 1
        assert b"curl -T FILE" in done.stdout


def test_a_put_that_is_cut_off_leaves_nothing(fleet: Fleet, tmp_path: Path) -> None:
    random_file(tmp_path / "cut.bin", 20 * MIB)
    sending = _put_slowly(fleet, tmp_path / "cut.bin", "2M")
    wait_until(lambda: _uploads(fleet, "cut.bin"), 20, "the PUT has begun")
    sending.kill()
    sending.wait()
    wait_until(lambda: not _uploads(fleet, "cut.bin"), 20, "what arrived is gone")


def test_an_instance_that_stops_finishes_the_put_it_carries(fleet: Fleet, tmp_path: Path) -> None:
    sha256 = random_file(tmp_path / "slow.bin", 16 * MIB)
    sending = _put_slowly(fleet, tmp_path / "slow.bin", "2M")
    wait_until(lambda: _uploads(fleet, "slow.bin"), 20, "the PUT has begun")
    (carrier,) = _uploads(fleet, "slow.bin")
    pid = fleet.signal(carrier, signal.SIGTERM)
    link, _ = sending.communicate(timeout=60)
    (file,) = wait_ready(link.strip())
    assert file["sha256"] == sha256
    wait_until(lambda: fleet.unit(carrier)["pid"] not in {pid, None}, 60, "it is another process now")


def _put_slowly(fleet: Fleet, path: Path, speed: str) -> "subprocess.Popen[str]":
    command = ["curl", "-s", "--limit-rate", speed, "-T", str(path), f"{fleet.url}/"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _uploads(fleet: Fleet, name: str) -> list[str]:
    """Which instances carry uploads of files of this name."""
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        rows = database.execute(
            "SELECT lease_instance FROM uploads_upload JOIN transfers_file AS file ON file.id = file_id "
            "WHERE name = %s AND lease_token IS NOT NULL",
            [name],
        )
        return [str(instance) for (instance,) in rows]


# tus


def test_the_first_bytes_come_with_the_creation_and_a_method_in_a_header(fleet: Fleet) -> None:
    _, created = upload(fleet.url, b"hello", name="a.txt", length=11)
    assert created.headers["Upload-Offset"] == "5"
    patched = requests.post(
        created.headers["Location"],
        data=b" world",
        headers={**TUS, "Upload-Offset": "5", "Content-Type": CHUNK, "X-HTTP-Method-Override": "PATCH"},
        timeout=20,
    )
    assert (patched.status_code, patched.headers["Upload-Offset"]) == (204, "11")
    (file,) = wait_ready(created.headers["Transfer-URL"])
    assert download(file).content == b"hello world"


def test_a_chunk_that_is_another_is_refused_by_its_checksum(fleet: Fleet) -> None:
    _, created = upload(fleet.url, b"", name="a.txt", length=11)
    headers = {**TUS, "Upload-Offset": "0", "Content-Type": CHUNK}
    checksum = {"Upload-Checksum": "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="}

    def patch(body: bytes) -> int:
        return requests.patch(
            created.headers["Location"], data=body, headers={**headers, **checksum}, timeout=20
        ).status_code

    assert patch(b"hello w0rld") == 460
    assert patch(b"hello world") == 204


@pytest.fixture(scope="module")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tus-js")
    install_node_client(folder)
    shutil.copy(PROGRAM, folder / "node")
    return folder / "node"


def tus_js(folder: Path, fleet: Fleet, path: Path, **options: Any) -> dict[str, Any]:
    """What became of an upload by tus-js-client."""
    order = {"endpoint": f"{fleet.url}/files/", "path": str(path), **options}
    done = subprocess.run(
        ["node", PROGRAM.name, json.dumps(order)],
        cwd=folder, env=os.environ | {"PATH": path_with_node()}, capture_output=True, text=True, timeout=120,
        check=True,
    )  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["error"] == ""
    return told


@pytest.mark.parametrize("partials_are_told", [False, True])
def test_a_javascript_client_sends_one_file_in_four_parallel_uploads(
    fleet: Fleet, tmp_path: Path, node_folder: Path, partials_are_told: bool
) -> None:
    sha256 = random_file(tmp_path / "a.bin", 20 * MIB)
    metadata = {"filename": "a.bin"}
    if partials_are_told:
        _, first = upload(fleet.url, b"x", name="first.txt")
        metadata["transfer"] = first.headers["Transfer-Secret"]
    told = tus_js(
        node_folder, fleet, tmp_path / "a.bin",
        parallelUploads=4,
        metadata=metadata,
        metadataForPartialUploads={"transfer": metadata["transfer"]} if partials_are_told else {},
    )  # fmt: skip
    assert sorted(told["requests"]) == ["PATCH 204"] * 4 + ["POST 201"] * 5
    assert ("Transfer-Secret" in told["headers"]) is not partials_are_told
    files = wait_ready(told["headers"]["Transfer-URL"], count=2 if partials_are_told else 1)
    (file,) = (each for each in files if each["name"] == "a.bin")
    assert file["sha256"] == sha256
    assert sha256_of(download(file)) == sha256


def test_a_javascript_client_sends_a_stream_whose_length_it_does_not_know(
    fleet: Fleet, tmp_path: Path, node_folder: Path
) -> None:
    sha256 = random_file(tmp_path / "a.bin", 7 * MIB + 1)
    told = tus_js(
        node_folder, fleet, tmp_path / "a.bin",
        streamed=True, uploadLengthDeferred=True, chunkSize=MIB, metadata={"filename": "a.bin"},
    )  # fmt: skip
    (file,) = wait_ready(told["headers"]["Transfer-URL"])
    assert file["sha256"] == sha256
