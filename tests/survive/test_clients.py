"""Each client, as a process, against a server that hangs up in the middle: it goes on, and counts what it sent."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.survive.plan import Client, Planned
from tests.survive.sending import Senders, Sent, install_node_client

SIZE = 3_000_000
KEPT = 1_000_000


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Tus"

    def do_POST(self) -> None:
        self.server.created += 1
        if self.server.created <= self.server.creations_refused:
            self._say(503)
            return
        self.server.got = bytearray()
        self._say(201, Location=f"{self.server.url}/files/{self.server.created}")

    def do_HEAD(self) -> None:
        status = self.server.head_statuses.pop(0) if self.server.head_statuses else 200
        offset = {"Upload-Offset": str(len(self.server.got)), "Upload-Length": str(SIZE)}
        self._say(status, **(offset if status == 200 else {}))

    def do_PATCH(self) -> None:
        if int(self.headers["Upload-Offset"]) != len(self.server.got):
            self._say(409)
            return
        if not self.server.has_hung_up:
            self.server.has_hung_up = True
            self.server.got += self.rfile.read(KEPT)
            self.close_connection = True
            return
        self.server.got += self.rfile.read(int(self.headers["Content-Length"]))
        self._say(204, **{"Upload-Offset": str(len(self.server.got))})

    def _say(self, status: int, **headers: str) -> None:
        self.send_response(status)
        headers |= {"Tus-Resumable": "1.0.0"} | ({} if status == 204 else {"Content-Length": "0"})
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Nobody reads it."""


class _Tus(ThreadingHTTPServer):
    """Keeps one upload in memory, hangs up once after `KEPT` bytes, and answers HEADs first as it was told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.got = bytearray()
        self.created = self.creations_refused = 0
        self.has_hung_up = False
        self.head_statuses: list[int] = []


@pytest.fixture
def server() -> Iterator[_Tus]:
    with _Tus() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With tus-js-client in it."""
    made = tmp_path_factory.mktemp("survive")
    install_node_client(made)
    return made


def send(folder: Path, server: _Tus, client: Client) -> Sent:
    return Senders(folder, server.url, "secret").send(
        Planned(f"{client}.bin", SIZE, client, None, 20_000_000)
    )


@pytest.mark.parametrize("client", Client)
def test_an_upload_that_was_cut_off_goes_on_where_it_was(folder: Path, server: _Tus, client: Client) -> None:
    sent = send(folder, server, client)
    assert sent.told.error == "", sent.log
    assert sent.told.urls == [f"{server.url}/files/1"]
    assert len(server.got) == SIZE
    # What was kept is not sent again; what lay in the sockets' buffers when it was cut off is.
    assert SIZE <= sent.told.sent_bytes <= 2 * SIZE - KEPT
    assert sent.told.answers["PATCH 204"] == 1
    assert sent.told.answers["HEAD 200"] == 1


@pytest.mark.parametrize("client", Client)
def test_creation_and_the_question_for_the_offset_are_tried_again(
    folder: Path, server: _Tus, client: Client
) -> None:
    server.creations_refused, server.head_statuses = 1, [423]
    told = send(folder, server, client).told
    assert told.error == ""
    assert told.urls == [f"{server.url}/files/2"]
    assert (told.answers["POST 503"], told.answers["HEAD 423"], told.answers["HEAD 200"]) == (1, 1, 1)


def test_tus_js_client_starts_over_elsewhere_when_a_head_is_answered_502(folder: Path, server: _Tus) -> None:
    """Why no HEAD may ever be: the upload arrives, but not where it began."""
    server.head_statuses = [502]
    told = send(folder, server, Client.TUS_JS).told
    assert told.urls == [f"{server.url}/files/1", f"{server.url}/files/2"]
    assert told.answers["HEAD 502"] == 1


def test_a_client_that_says_nothing_has_failed(folder: Path, server: _Tus) -> None:
    (folder / "node" / "tus_js_client.mjs").rename(folder / "gone")
    try:
        sent = send(folder, server, Client.TUS_JS)
    finally:
        (folder / "gone").rename(folder / "node" / "tus_js_client.mjs")
    assert sent.told.error == "it ended without a word"
    assert "Cannot find module" in "\n".join(sent.log)
