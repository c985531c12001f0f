"""Owns the one fast client that every measured server gets. It sends a prepared buffer and parses as little as it can.

One `sendall` per chunk, outside the interpreter's lock: it must never be slower than what it measures.
"""

import base64
import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from tests.bench.units import MIB

CHUNK_BYTES = 16 * MIB
_LIMIT_SECONDS = 60.0
_MOST_TRIES = 200
_TUS = {"Tus-Resumable": "1.0.0"}


class UnexpectedAnswerError(Exception):
    """A server did not take what it was sent, so there is no figure."""


@dataclass(frozen=True)
class Target:
    """Where to send: `address` is host:port, `headers` choose the route."""

    name: str
    address: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sent:
    """An upload that the server has acknowledged to its last byte."""

    transfer_path: str
    secret: str
    seconds: float
    tries_again: int = 0


class Client:
    """One keep-alive connection, and the bytes that are sent over it again and again."""

    def __init__(self, target: Target, buffer: memoryview) -> None:
        self._target = target
        self._buffer = buffer
        self._connection = HTTPConnection(target.address, timeout=_LIMIT_SECONDS)
        self.tries_again = 0

    def close(self) -> None:
        self._connection.close()

    def upload(self, size_bytes: int, chunk_bytes: int = CHUNK_BYTES) -> Sent:
        """tus, PATCH by PATCH. The clock runs from the creation to the last answer."""
        began = time.perf_counter()
        created = self.ask("POST", self._target.path, 201, _creation(size_bytes))
        location = urlsplit(created.headers["Location"]).path
        offset = 0
        while offset < size_bytes:
            offset = self._append(location, offset, min(chunk_bytes, size_bytes - offset))
        seconds = time.perf_counter() - began
        link = urlsplit(created.headers.get("Transfer-URL", "")).path
        return Sent(link, created.headers.get("Transfer-Secret", ""), seconds, self.tries_again)

    def _append(self, location: str, offset: int, size: int) -> int:
        """The offset after one PATCH. One that was not taken whole is followed by a HEAD, as every client does."""
        try:
            if self._taken(location, offset, size):
                return offset + size
        except (ConnectionError, HTTPException):
            pass  # a server that has its hands full may hang up while this sends
        self.tries_again += 1
        if self.tries_again > _MOST_TRIES:
            raise UnexpectedAnswerError(f"{location} was refused {self.tries_again} times")
        self._connection.close()
        # At once, as the common client's first retry: the proxy's next instance may have room.
        answer = self.ask("HEAD", location, 200, _TUS)
        return int(answer.headers["Upload-Offset"])

    def _taken(self, location: str, offset: int, size: int) -> bool:
        """False: an instance had its hands full."""
        headers = _TUS | {
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(size),
            "Upload-Offset": str(offset),
        }
        answer = self.ask("PATCH", location, (204, 502, 503), headers, self._views(size))
        if answer.status != 204:
            return False
        if answer.headers["Upload-Offset"] != str(offset + size):
            raise UnexpectedAnswerError(f"{location} stands at {answer.headers['Upload-Offset']}")
        return True

    def put(self, size_bytes: int) -> float:
        """One plain PUT. Returns the seconds."""
        began = time.perf_counter()
        self.ask("PUT", self._target.path, 201, {"Content-Length": str(size_bytes)}, self._views(size_bytes))
        return time.perf_counter() - began

    def download(self, path: str) -> float:
        """Read a whole body and throw it away. Returns the seconds."""
        began = time.perf_counter()
        self._connection.request("GET", path, headers=dict(self._target.headers))
        response = self._connection.getresponse()
        if response.status != 200:
            raise UnexpectedAnswerError(f"GET {path}: {response.status}")
        buffer = memoryview(bytearray(MIB))
        while response.readinto(buffer):
            pass
        return time.perf_counter() - began

    def look(self, path: str) -> dict[str, Any]:
        """A page's JSON."""
        found: dict[str, Any] = json.loads(self._said("GET", path, 200, {"Accept": "application/json"})[1])
        return found

    def _views(self, size: int) -> Iterator[memoryview]:
        while size > 0:
            view = self._buffer[:size]
            size -= len(view)
            yield view

    def ask(
        self,
        method: str,
        path: str,
        expected: int | tuple[int, ...],
        headers: Mapping[str, str],
        body: Iterator[memoryview] | None = None,
    ) -> HTTPResponse:
        """One request; its answer has been read. Raises UnexpectedAnswerError for another status."""
        return self._said(method, path, expected, headers, body)[0]

    def _said(
        self,
        method: str,
        path: str,
        expected: int | tuple[int, ...],
        headers: Mapping[str, str],
        body: Iterator[memoryview] | None = None,
    ) -> tuple[HTTPResponse, bytes]:
        self._connection.request(method, path, body=body, headers={**self._target.headers, **headers})
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status not in (expected if isinstance(expected, tuple) else (expected,)):
            raise UnexpectedAnswerError(f"{method} {path}: {answer.status} {said[:200]!r}")
        return answer, said


def _creation(size_bytes: int) -> dict[str, str]:
    name = base64.b64encode(b"bench.bin").decode()
    return _TUS | {
        "Upload-Length": str(size_bytes),
        "Upload-Metadata": f"filename {name}",
        "Content-Length": "0",
    }


def upload_once(target: Target, buffer: memoryview, size_bytes: int, chunk_bytes: int = CHUNK_BYTES) -> Sent:
    client = Client(target, buffer)
    try:
        return client.upload(size_bytes, chunk_bytes)
    finally:
        client.close()


def put_once(target: Target, buffer: memoryview, size_bytes: int) -> float:
    client = Client(target, buffer)
    try:
        return client.put(size_bytes)
    finally:
        client.close()


def upload_at_once(
    target: Target, buffer: memoryview, size_bytes: int, clients: int
) -> tuple[float, list[Sent]]:
    """Clients that each have a connection and an upload of their own. Seconds of all together, and what was sent."""
    began = time.perf_counter()
    with ThreadPoolExecutor(max_workers=clients) as pool:
        sent = list(pool.map(lambda _: upload_once(target, buffer, size_bytes), range(clients)))
    return time.perf_counter() - began, sent


def put_at_once(target: Target, buffer: memoryview, size_bytes: int, clients: int) -> float:
    """The same with one plain PUT each."""
    began = time.perf_counter()
    with ThreadPoolExecutor(max_workers=clients) as pool:
        list(pool.map(lambda _: put_once(target, buffer, size_bytes), range(clients)))
    return time.perf_counter() - began
