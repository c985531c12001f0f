"""Owns what the fleet's tests share: a proxy and a file server before an instance that tells what it got."""

import base64
import hashlib
import json
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy.fleet.configuration import UpOptions
from deploy.fleet.platforms.embedded import nginx, traefik
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.servers import servers_running
from deploy.fleet.platforms.embedded.service import Context
from deploy.tests.kubernetes_objects import OVERLAYS, Overlay


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Reply:
    """What was answered: `headers` by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


def ask(
    address: str, path: str, headers: dict[str, str] | None = None, method: str = "GET", body: Any = None
) -> Reply:
    """One request on a connection of its own; the path is sent as it is, not tidied up."""
    host, port = address.rsplit(":", 1)
    connection = HTTPConnection(host, int(port), timeout=10)
    try:
        named = any(name.lower() == "host" for name in headers or {})
        connection.putrequest(method, path, skip_host=named, skip_accept_encoding=True)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


class TellingInstance:
    """A stand-in for the site, not for a server: it answers what it was asked, and what it decides is set here."""

    def __init__(self) -> None:
        instance = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                instance.answer(self)

            do_HEAD = do_POST = do_PATCH = do_GET

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.questions: list[dict[str, str]] = []
        self.decision: tuple[int, dict[str, str], bytes] = (403, {}, b"no")
        self.status = 200
        self.cache = "no-store"
        self.body_times: list[float] = []
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        if path in ("/internal/download", "/internal/archive", "/internal/preview"):
            asked = {k.lower(): v for k, v in request.headers.items()}
            self.questions.append({":path": path, **asked})
            self._send(request, *self.decision)
        elif path == "/readyz":
            self._send(request, 200, {}, b"{}")
        else:
            self._read_body(request)
            told = {"path": request.path, "headers": {k.lower(): v for k, v in request.headers.items()}}
            kinds = {"Content-Type": "application/json", "Cache-Control": self.cache}
            self._send(request, self.status, kinds, json.dumps(told).encode())

    def _read_body(self, request: BaseHTTPRequestHandler) -> None:
        left = int(request.headers.get("Content-Length") or 0)
        while left > 0 and (block := request.rfile.read1(min(left, 65536))):
            self.body_times.append(time.monotonic())
            left -= len(block)

    def _send(
        self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes
    ) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)


@dataclass
class Proxy:
    """Traefik and nginx, running; `public` and `internal` are Traefik's entry points."""

    context: Context
    instance: TellingInstance
    public: str
    internal: str
    files: str
    servers: list[str] = field(default_factory=list)

    def get(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> Reply:
        return ask(self.public, path, headers, method)

    def send_to(self, *addresses: str) -> None:
        """Change the instances that Traefik knows, and wait until it does."""
        traefik.write_servers(self.context.folder, [f"http://{address}" for address in addresses])
        wait_until(lambda: self._known() == {f"http://{address}" for address in addresses})

    def _known(self) -> set[str] | None:
        reply = ask(self.internal, "/api/http/services/web@file")
        if reply.status != 200:
            return None
        service = reply.json()
        return {server["url"] for server in service["loadBalancer"].get("servers") or ()}

    def put_blob(self, key: str, content: bytes) -> None:
        file = self.context.folder.store / "blobs" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def sign(
        self, key: str, *, kind: str = "text/plain", name: str = "a.txt", expires_in: int = 60
    ) -> dict[str, str]:
        """The headers by which the site names a blob: see apps.transfers."""
        disposition, expires = f"attachment; filename*=UTF-8''{name}", str(int(time.time()) + expires_in)
        text = f"{expires} {key} {kind} {disposition} {self.context.credentials.download_key}"
        digest = base64.urlsafe_b64encode(hashlib.md5(text.encode()).digest()).rstrip(b"=").decode()
        return {
            "X-Blob-Key": key, "X-Blob-Type": kind, "X-Blob-Disposition": disposition,
            "X-Blob-Expires": expires, "X-Blob-Signature": digest,
        }  # fmt: skip

    def allow(self, key: str, **options: Any) -> None:
        self.instance.decision = (200, self.sign(key, **options), b"")


def wait_until(condition: Any, limit_seconds: float = 10.0) -> None:
    """Poll until it is true; fails loudly, never passes by waiting long enough."""
    until = time.monotonic() + limit_seconds
    while not condition():
        assert time.monotonic() < until, "it did not become true in time"
        time.sleep(0.02)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder that PostgreSQL's account can reach even when the tests run as root."""
    made = Path(tempfile.mkdtemp(prefix="spillway-fleet-"))
    made.chmod(0o711)
    yield made / "data"
    shutil.rmtree(made, ignore_errors=True)


@contextmanager
def proxy_running() -> Iterator[Proxy]:
    """Traefik and nginx before a telling instance, as the environment of this moment says."""
    made = Path(tempfile.mkdtemp(prefix="spillway-proxy-"))
    options = UpOptions(made / "data", port=free_port())
    instance = TellingInstance()
    try:
        with servers_running(
            DataFolder(options.data), (nginx.NAME, traefik.NAME), durable=False, options=options
        ) as c:
            internal = f"127.0.0.1:{c.ports.claim_once(traefik.NAME)}"
            yield Proxy(c, instance, f"127.0.0.1:{options.port}", internal, nginx.address(c))
    finally:
        instance.server.shutdown()
        shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def proxy_for_module() -> Iterator[Proxy]:
    with proxy_running() as made:
        yield made


@pytest.fixture
def proxy(proxy_for_module: Proxy) -> Proxy:
    """The module's proxy, sending to one telling instance that denies every download."""
    instance = proxy_for_module.instance
    instance.questions.clear()
    instance.body_times.clear()
    instance.decision, instance.status = (403, {}, b"no"), 200
    proxy_for_module.send_to(instance.address)
    return proxy_for_module


def is_root() -> bool:
    return os.geteuid() == 0


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> Overlay:
    """What is applied, of each overlay."""
    return Overlay.read(request.param)


@pytest.fixture
def production() -> Overlay:
    """What is applied of the large one."""
    return Overlay.read("production")
