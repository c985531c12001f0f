"""Owns how a browser comes from another client address: a SOCKS proxy of the test's own that asks the site from there.

All of 127.0.0.0/8 is this machine. Whoever is throttled or blocked by address there is so alone: the other tests ask
from 127.0.0.1.
"""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from playwright.sync_api import Browser, BrowserContext

from tests.e2e.fleet import Fleet

_CONNECTED = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
_QUIET_SECONDS = 60.0


@contextmanager
def browser_at(address: str, browser: Browser, fleet: Fleet) -> Iterator[BrowserContext]:
    """A browser whose requests come from `address`, one of 127.0.0.0/8 that nobody else uses."""
    with _Proxy(address, fleet.port) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        # Chromium goes to this machine without a proxy unless it is told not to.
        way: Any = {"server": f"socks5://127.0.0.1:{proxy.server_address[1]}", "bypass": "<-loopback>"}
        context = browser.new_context(base_url=fleet.url, proxy=way)
        try:
            yield context
        finally:
            context.close()
            proxy.shutdown()


class _Proxy(socketserver.ThreadingTCPServer):
    """Connects whoever asks, whatever they ask for, to the site."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: str, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Line)
        self.address, self.port = address, port


class _Line(socketserver.BaseRequestHandler):
    """One connection (RFC 1928: no authentication, CONNECT)."""

    server: _Proxy

    def handle(self) -> None:
        """Until both ends have closed."""
        here: socket.socket = self.request
        # Either end may hang up in the middle: a browser does so with lines it does not need.
        with suppress(OSError):
            self._greet(here)
            with self._site() as there:
                here.sendall(_CONNECTED)
                back = threading.Thread(target=_pour, args=(there, here), daemon=True)
                back.start()
                _pour(here, there)
                back.join(_QUIET_SECONDS)

    def _site(self) -> socket.socket:
        there, here = ("127.0.0.1", self.server.port), (self.server.address, 0)
        return socket.create_connection(there, timeout=_QUIET_SECONDS, source_address=here)

    def _greet(self, here: socket.socket) -> None:
        _, count = _read(here, 2)
        _read(here, count)
        here.sendall(b"\x05\x00")
        *_, kind = _read(here, 4)
        # A name comes with its length, an address of version 4 or 6 has one.
        _read(here, {1: 4, 4: 16}.get(kind) or _read(here, 1)[0])
        _read(here, 2)


def _read(line: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = line.recv(count - len(data))
        if not more:
            raise ConnectionError("the browser hung up")
        data += more
    return data


def _pour(source: socket.socket, target: socket.socket) -> None:
    """All bytes one way, then say that there are no more."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
