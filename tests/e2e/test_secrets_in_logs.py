"""Whatever is done with a link, no log of any part of a fleet learns its token, its secret or an upload's address."""

import socket
from contextlib import suppress
from urllib.parse import quote, urlsplit

import requests

from tests.e2e.clients import download, encoded, upload, wait_ready
from tests.e2e.fleet import Fleet, wait_until
from tests.e2e.telling import lines_that_tell, logs_of, secrets_of


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


def lose_a_part(fleet: Fleet) -> tuple[str, str, dict[str, str]]:
    """An upload that arrives whole, whose first part has gone from the disk. Its id, where its transfer is managed, and
    what allows that.
    """
    _, begun = upload(fleet.url, b"the first half", name="lost.bin", length=28)
    address, secret = begun.headers["Location"], {"Transfer-Secret": begun.headers["Transfer-Secret"]}
    name = address.rsplit("/", 1)[1]
    bare = name.replace("-", "")
    [part] = (fleet.data / "store" / "staging" / bare[:2] / bare).iterdir()
    part.unlink()
    head = {
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": "14",
        "Content-Type": "application/offset+octet-stream",
    }
    done = requests.patch(address, data=b"the other half", headers=head, timeout=20)
    assert done.status_code == 204
    return name, begun.headers["Transfer-URL"].replace("/t/", "/m/"), secret


def test_no_log_names_an_upload_whose_bytes_a_worker_does_not_find(fleet: Fleet) -> None:
    """The worker logs where it looked, with the traces of both exceptions: the folder is called after the upload."""
    before = {path: len(text) for path, text in logs_of(fleet).items()}
    name, manage, secret = lose_a_part(fleet)

    def new_lines() -> str:
        return "".join(text[before.get(path, 0) :] for path, text in logs_of(fleet).items())

    try:
        wait_until(lambda: '"part_missing"' in new_lines(), 60, "a worker says that a part is missing")
        said = new_lines()
        assert "FileNotFoundError" in said
        assert "/staging/" in said
        assert lines_that_tell(fleet, {name, name.replace("-", "")}) == []
    finally:
        # No sweep tries it again.
        assert requests.delete(manage, headers=secret, timeout=20).status_code in {200, 204}


def test_no_log_of_any_part_names_a_password_that_was_typed_or_a_secret_of_the_site(fleet: Fleet) -> None:
    """What was made on the fleet by all tests together is looked for when it is stopped (tests/conftest.py)."""
    typed = "a-password-that-somebody-typed"
    link, _ = upload(fleet.url, b"some bytes", name="notes.txt", password=typed)
    browser = requests.Session()
    page = browser.get(link, headers={"Accept": "text/html"}, timeout=20)
    form = {"password": typed, "csrfmiddlewaretoken": browser.cookies.get("csrftoken", "")}
    browser.post(f"{link}/password", data=form, headers={"Referer": link}, timeout=20)
    sign_in = {"login": "admin", "password": typed, "csrfmiddlewaretoken": form["csrfmiddlewaretoken"]}
    browser.post(f"{fleet.url}/accounts/login/", data=sign_in, headers={"Referer": fleet.url}, timeout=20)
    requests.get(f"{fleet.url}/api/v1/me", headers={"Authorization": f"Bearer sp_{typed}"}, timeout=20)
    assert page.ok
    cookies = {
        cookie.value for cookie in browser.cookies if cookie.name != "spillway_language" and cookie.value
    }
    assert lines_that_tell(fleet, {typed, *cookies} | secrets_of(fleet)) == []


def test_a_line_that_tells_would_be_found(fleet: Fleet) -> None:
    assert "web-1.log: " in "".join(lines_that_tell(fleet, {"worker_warm"}))
