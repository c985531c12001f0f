"""Whatever is done with a link, no log of any part of a fleet learns its token, its secret or an upload's address."""

import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlsplit

import requests

from tests.e2e.clients import download, encoded, upload, wait_ready
from tests.e2e.fleet import Fleet


def logs_of(fleet: Fleet) -> dict[Path, str]:
    """Every log there is, by its file."""
    found = [path for path in fleet.data.rglob("*.log*") if path.is_file()]
    return {path: path.read_text(errors="replace") for path in found}


def break_off(fleet: Fleet, path: str) -> None:
    """Begin a chunk and hang up in the middle of it."""
    with socket.create_connection(("localhost", fleet.port), timeout=10) as line:
        head = (
            f"PATCH {path} HTTP/1.1\r\nHost: localhost:{fleet.port}\r\nTus-Resumable: 1.0.0\r\n"
            "Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: 1000\r\n\r\n"
        )
        line.sendall(head.encode() + b"only so many bytes")


def use_in_every_way(fleet: Fleet, link: str, secret: str, upload_path: str) -> None:
    """What goes well, what is refused, what makes no sense."""
    token = link.rsplit("/", 1)[1]
    [file] = wait_ready(link)
    assert download(file).ok
    break_off(fleet, upload_path)
    path = urlsplit(link).path
    tries = [
        ("GET", f"{path}?again=1", {"Accept": "text/html"}),
        ("GET", f"{path}/nothing", {"Accept": "text/html"}),
        ("GET", f"/t/{token[:-1]}", {"Accept": "text/html"}),
        ("DELETE", path, {}),
        ("POST", f"{path}/password", {}),
        ("GET", f"/m/{token}", {"Accept": "text/html"}),
        ("GET", f"/m/{token}/files", {"Transfer-Secret": secret}),
        ("GET", f"/m/{token}/files", {"Transfer-Secret": secret[:-1] + "_"}),
        ("GET", f"{urlsplit(file['url']).path}/more", {}),
        ("HEAD", upload_path, {"Tus-Resumable": "1.0.0"}),
        ("PATCH", upload_path, {"Tus-Resumable": "1.0.0", "Upload-Offset": "99"}),
        ("GET", f"/accounts/login/?next={quote(path, safe='')}", {}),
        ("GET", "/static/nothing.css", {"Referer": link}),
        ("GET", "/nowhere", {"Referer": link}),
        ("PUT", path, {}),
    ]
    for method, address, headers in tries:
        # Some of these are answered by hanging up.
        with suppress(requests.RequestException):
            requests.request(method, fleet.url + address, headers=headers, timeout=20)


def test_no_log_of_any_part_names_what_opens_a_transfer(fleet: Fleet) -> None:
    link, response = upload(fleet.url, b"some bytes", name="notes.txt")
    secret = response.headers["Transfer-Secret"]
    unfinished = requests.post(
        f"{fleet.url}/files/",
        headers={
            "Tus-Resumable": "1.0.0",
            "Upload-Length": "1000",
            "Upload-Metadata": encoded(filename="unfinished.bin"),
        },
        timeout=20,
    ).headers["Location"]
    upload_path = urlsplit(unfinished).path
    before = {path: len(text) for path, text in logs_of(fleet).items()}
    use_in_every_way(fleet, link, secret, upload_path)
    after = logs_of(fleet)
    # The looking itself: there are logs, and what was done is in them.
    assert any(
        path.name.startswith("web-") and len(text) > before.get(path, 0) for path, text in after.items()
    )
    assert {path.name for path in after} >= {"traefik.log", "nginx.log"}
    for kept in (link.rsplit("/", 1)[1], secret, upload_path.rsplit("/", 1)[1]):
        lines = [line for text in after.values() for line in text.splitlines() if kept in line]
        assert lines == []
