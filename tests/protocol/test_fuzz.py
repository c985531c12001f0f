"""Thousands of requests that are wrong in random ways, among uploads that must come out right."""

import hashlib
import http.client
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from tests.e2e.clients import encoded
from tests.e2e.fleet import wait_until
from tests.protocol import model
from tests.protocol.nonsense import Nonsense, Request
from tests.protocol.site import Site
from tests.protocol.wire import CHUNK_TYPE, Answer, ask

pytestmark = pytest.mark.e2e

REQUESTS = int(os.environ.get("SPILLWAY_FUZZ_REQUESTS", "8000"))
SEED = int(os.environ.get("SPILLWAY_FUZZ_SEED", "1"))
# Connections: straight to the instances, and through the proxy.
_STRAIGHT, _PROXIED = 6, 2
_REFUSED = {400, 401, 403, 404, 405, 409, 410, 411, 412, 415, 417, 431}
_KEPT = 4  # uploads a connection looks after
_LENGTH = 60_000
_CHECKED = 10  # of those a connection has done with
_ANSWER_SECONDS = 15.0


class Talk:
    """One keep-alive connection at a time, over which random requests go, and the uploads that only they touch."""

    def __init__(self, site: Site, address: str, seed: int, failed: threading.Event) -> None:
        self.site = site
        self._failed = failed
        self.statuses: dict[int, int] = {}
        self._address = address
        self._nonsense = Nonsense(seed)
        self._uploads = [self._made() for _ in range(_KEPT)]
        self._done: list[tuple[str, model.Upload]] = []
        self._socket: socket.socket | None = None

    def run(self, times: int) -> None:
        for _ in range(times):
            if self._failed.is_set():
                return
            try:
                self._one()
            except BaseException:
                self._failed.set()
                raise
        if self._socket is not None:
            self._socket.close()
        for path, kept in [*self._uploads, *self._done[-_CHECKED:]]:
            self._check(path, kept)

    def _made(self) -> tuple[str, model.Upload]:
        told = {"Upload-Length": str(_LENGTH), "Upload-Metadata": encoded(filename="a.bin")}
        answer = ask(self._address, "POST", "/files/", told)
        assert answer.status == 201, answer
        return urlsplit(answer.headers["Location"]).path, model.Upload(_LENGTH)

    def _one(self) -> None:
        sent = self._nonsense.request([(path, len(kept.data), kept.length) for path, kept in self._uploads])
        try:
            answer = self._asked(sent)
        except (OSError, http.client.HTTPException) as error:
            error.add_note(f"{self._address} {sent.head[:2000]!r} and {len(sent.body)} bytes")
            raise
        if answer is not None:
            self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
            assert answer.status < 500 or _is_honest(sent, answer), (sent.head[:3000], len(sent.body), answer)
            assert b"Traceback" not in answer.body, (sent, answer)
            self._created(sent, answer)
        if sent.upload is not None:
            self._account(sent, sent.upload, answer)

    def _asked(self, sent: Request) -> Answer | None:
        """Its answer. None: the server hung up, which it may do only where nobody can say what was asked."""
        if sent.is_odd:
            with socket.create_connection(_pair(self._address), timeout=_ANSWER_SECONDS) as own:
                with suppress(OSError):
                    own.sendall(sent.head + sent.body)
                    own.shutdown(socket.SHUT_WR)
                try:
                    return self._answer(own, sent)[0]
                except (http.client.HTTPException, ConnectionError):
                    return None
        if self._socket is None:
            self._socket = socket.create_connection(_pair(self._address), timeout=_ANSWER_SECONDS)
        # A server that refuses before it has read may close while we send: its answer is there all the same.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(sent.head + sent.body)
        answer, closes = self._answer(self._socket, sent)
        if closes:
            self._socket.close()
            self._socket = None
        return answer

    def _answer(self, connection: socket.socket, sent: Request) -> tuple[Answer, bool]:
        response = http.client.HTTPResponse(
            connection, method="HEAD" if sent.is_head else sent.method.decode("latin-1")
        )
        with response:
            response.begin()
            return Answer(response.status, response.headers, response.read()), response.will_close

    def _created(self, sent: Request, answer: Answer) -> None:
        """An upload that came of it all the same is one more to look after."""
        if answer.status != 201:
            return
        path = urlsplit(answer.headers["Location"]).path
        head = ask(self._address, "HEAD", path, {})
        if head.headers["Upload-Length"] is None or head.headers["Upload-Concat"] is not None:
            return  # of a length that is not known yet, or no file of its own
        made = model.Upload(int(head.headers["Upload-Length"]))
        made.sent(sent.body)
        made.told(int(head.headers["Upload-Offset"]))
        self._done.append((path, made))

    def _account(self, sent: Request, index: int, answer: Answer | None) -> None:
        """What became of the upload that it was about: bytes may have been kept, from the body's beginning only."""
        path, kept = self._uploads[index]
        if answer is None or "X-Instance" not in answer.headers:
            # No instance answered, so one may be at it still: looked at in the end.
            kept.sent(sent.body)
            kept.removed = sent.method == b"DELETE" or b"x-http-method-override" in sent.names()  # perhaps
            self._put_aside(index)
            return
        if answer.status in _REFUSED:
            return
        if answer.status == 204 and answer.offset is None and sent.method != b"OPTIONS":
            self._uploads[index] = self._made()
            return
        kept.sent(sent.body)
        if answer.offset is None:
            answer = ask(self._address, "HEAD", path, {})
            assert answer.status == 200, (sent.head, answer)
        kept.told(int(answer.headers["Upload-Offset"]))
        if kept.is_whole():
            self._put_aside(index)

    def _put_aside(self, index: int) -> None:
        self._done.append(self._uploads[index])
        self._uploads[index] = self._made()

    def _check(self, path: str, kept: model.Upload) -> None:
        """Send the rest; then the file's SHA-256 is that of the bytes which were said to be kept."""
        head = ask(self._address, "HEAD", path, {})
        if head.status == 404:
            assert kept.removed, path
            return
        kept.told(int(head.headers["Upload-Offset"]))
        rest = os.urandom(kept.length - len(kept.data))
        if rest:
            told = {"Upload-Offset": str(len(kept.data)), "Content-Type": CHUNK_TYPE}
            answer = ask(self._address, "PATCH", path, told, rest)
            assert answer.status == 204, answer
        upload_id = path.rpartition("/")[2]
        right = ("ready", hashlib.sha256(kept.data + rest).hexdigest())
        wait_until(lambda: (self.site.row(upload_id, "f.state") or ("",))[0] != "processing", 60, "processed")
        assert self.site.row(upload_id, "f.state, f.sha256") == right


def _pair(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def _is_honest(sent: Request, answer: Answer) -> bool:
    """The 5xx that are right answers: an encoding, a method or a version that nobody here speaks, a file that no
    disk here holds, a body that broke off (the proxy calls that 502, and 500 if it was in chunks). Never that an
    instance is busy: there are fewer connections than it has threads.
    """
    said = answer.body
    return {
        501: b"transfer-encoding" in sent.names() or sent.method == b"CONNECT",
        500: sent.is_cut() and said == b"Internal Server Error" and "X-Instance" not in answer.headers,
        502: sent.is_cut() and said == b"Bad Gateway",
        503: sent.is_cut() and b"upload_interrupted" in said,
        505: sent.version != b"HTTP/1.1",
        507: b"storage_full" in said,
    }.get(answer.status, False)


def test_random_requests_never_get_a_5xx_hang_or_change_a_byte(site_on) -> None:
    site = site_on("filesystem")
    addresses = [site.instances[number % 2] for number in range(_STRAIGHT)] + [site.proxy] * _PROXIED
    failed = threading.Event()
    talks = [Talk(site, address, SEED * 100 + number, failed) for number, address in enumerate(addresses)]
    with ThreadPoolExecutor(len(talks)) as pool:
        running = [pool.submit(talk.run, REQUESTS // len(talks)) for talk in talks]
        for done in running:
            done.result()
    statuses = {
        status: sum(talk.statuses.get(status, 0) for talk in talks)
        for status in sorted({s for t in talks for s in t.statuses})
    }
    print(statuses)
    # Had all been refused at the door, nothing behind it would have been tried.
    assert statuses[204] > REQUESTS / 50
    assert statuses[201] > REQUESTS / 100
