"""Owns how a test talks to one server byte by byte: whole requests, and ones that stop in the middle."""

import http.client
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

SECONDS = 30.0  # nothing here takes a tenth of it; whoever waits so long has met a hang
CHUNK_TYPE = "application/offset+octet-stream"
TUS = {"Tus-Resumable": "1.0.0"}


@dataclass(frozen=True)
class Answer:
    """A whole answer; header names are as http.client compares them, without regard to case."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def offset(self) -> int | None:
        told = self.headers["Upload-Offset"]
        return None if told is None else int(told)


class Conversation:
    """One request on a connection of its own, sent in as many pieces as one likes."""

    def __init__(self, address: str, method: str, path: str, headers: Mapping[str, str]) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._method = method
        lines = [f"{method} {path} HTTP/1.1", f"Host: {address}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def send(self, data: bytes) -> None:
        """As much of it as is taken: a server that has answered may have hung up."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def answer(self) -> Answer:
        """Wait for it, then hang up. Raises OSError (a TimeoutError among them) and HTTPException."""
        with self._socket, http.client.HTTPResponse(self._socket, method=self._method) as response:
            response.begin()
            return Answer(response.status, response.headers, response.read())

    def break_off(self, *, hard: bool) -> None:
        """Hang up without an answer: as a program that ends does, or (hard) as a machine that is reset."""
        if hard:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def ask(address: str, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
    """A whole request."""
    length = {"Content-Length": str(len(body))} if body or method in {"POST", "PATCH"} else {}
    conversation = Conversation(address, method, path, {**TUS, **length, **headers})
    conversation.send(body)
    return conversation.answer()


def chunk_headers(offset: int, size: int) -> dict[str, str]:
    """Of a PATCH that announces `size` bytes."""
    return {**TUS, "Content-Type": CHUNK_TYPE, "Content-Length": str(size), "Upload-Offset": str(offset)}
