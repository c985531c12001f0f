"""Owns an object store that fails on command: a proxy before a real one, request by request."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

SLOW_DOWN = (
    b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your rate</Message></Error>'
)


@dataclass
class Fault:
    """What happens to the next `times` requests of this method whose address has `part` in it.

    kind: `refused` (503 SlowDown), `cut` (hung up on before it got there), `lost` (done, but the answer is lost),
    `slow` (done after `seconds`), `torn` (the answer ends after `count` bytes of its body).
    """

    kind: str
    method: str = ""
    part: str = ""
    times: int = 1
    seconds: float = 0.0
    count: int = 0

    def takes(self, method: str, path: str) -> bool:
        return self.times > 0 and method.startswith(self.method) and self.part in path


@dataclass
class FailingS3:
    """The proxy: its address, what it shall do wrong, and which requests came."""

    url: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, kind: str, method: str = "", part: str = "", **how: float) -> None:
        self.faults.append(Fault(kind, method, part, **how))  # type: ignore[arg-type]

    def heal(self) -> None:
        self.faults.clear()

    def count(self, method: str, part: str = "") -> int:
        """How many requests of this kind came."""
        return sum(line.startswith(method) and part in line for line in self.seen)

    def take_fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            self.seen.append(f"{method} {path}")
            fault = next((fault for fault in self.faults if fault.takes(method, path)), None)
            if fault is not None:
                fault.times -= 1
            return fault


@contextmanager
def failing_s3(behind: str) -> Iterator[FailingS3]:
    """A proxy before the store at this address, for as long as the block takes."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.behind = urlsplit(behind).netloc
    server.told = FailingS3(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    behind: str
    told: FailingS3

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has lost patience is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Not a word."""

    def _any(self) -> None:
        fault = self.server.told.take_fault(self.command, self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = fault.kind if fault else ""
        if fault and kind == "slow":
            time.sleep(fault.seconds)
        if kind == "cut":
            self.close_connection = True
        elif kind == "refused":
            self._answer(503, {}, SLOW_DOWN)
        else:
            self._pass_on(body, lost=kind == "lost", torn=fault.count if fault and kind == "torn" else None)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any

    def _pass_on(self, body: bytes, *, lost: bool, torn: int | None) -> None:
        # The signature covers the Host header: it goes through as it came.
        behind = HTTPConnection(self.server.behind, timeout=30)
        try:
            sent = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            behind.request(self.command, self.path, body=body, headers=sent)
            self._relay(behind.getresponse(), lost=lost, torn=torn)
        finally:
            behind.close()

    def _relay(self, answer: HTTPResponse, *, lost: bool, torn: int | None) -> None:
        data = answer.read()
        if lost:
            self.close_connection = True
            return
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        self._answer(answer.status, headers, data[:torn], length=length)
        self.close_connection = self.close_connection or torn is not None

    def _answer(self, status: int, headers: dict[str, str], data: bytes, length: str | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


_HOP_BY_HOP = {"content-length", "transfer-encoding", "connection"}
