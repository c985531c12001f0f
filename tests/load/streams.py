"""Owns the slow ones of the load: uploads that resume as tus says, and downloads, one after the other each.

A PATCH that fails is no failure: HEAD and a PATCH from there are how the protocol works. What breaks an upload is an
offset that cannot be had, bytes that were acknowledged and are gone, or a file that is not what was sent.
"""

import hashlib
import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import urlsplit

from tests.e2e.clients import encoded, files_of
from tests.load.asking import Ask, answer_to
from tests.load.connections import LIMIT_SECONDS, Connection
from tests.load.records import BrokenError, Record

TUS = {"Tus-Resumable": "1.0.0"}
CREATE_UPLOAD, RESUME = "POST upload", "HEAD resume"
_PIECE_BYTES = 16_384
_CHUNK_BYTES = 2**20
_PAUSE_SECONDS = 0.2
_UPLOAD_LIMIT_SECONDS = 180.0
_READY_LIMIT_SECONDS = 90.0
# Small enough that the server's side of a download is as slow as its reader.
_RECEIVE_BYTES = 131_072


@dataclass(frozen=True)
class Pace:
    """How fast bytes go, until somebody is in a hurry."""

    bytes_per_second: float
    hurry: threading.Event

    def wait(self, began: float, moved_bytes: int) -> None:
        self.hurry.wait(max(0.0, began + moved_bytes / self.bytes_per_second - time.monotonic()))


class Stream(threading.Thread):
    """One after the other until told to stop; the last one is brought to its end, in a hurry."""

    def __init__(self, name: str, one: Callable[[int], None], stop: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self._one = one
        self._stop_event = stop

    def run(self) -> None:
        number = 0
        while not self._stop_event.is_set():
            number += 1
            self._one(number)
            # One that failed at once must not be followed by hundreds.
            self._stop_event.wait(_PAUSE_SECONDS)


class Sender:
    """Uploads into one transfer."""

    def __init__(
        self, port: int, name: str, secret: str, size_bytes: int, pace: Pace, record: Record
    ) -> None:
        self.sent_files: dict[str, str] = {}
        self._port = port
        self._name = name
        self._secret = secret
        self._size_bytes = size_bytes
        self._pace = pace
        self._record = record
        self._connection = Connection(port)
        self._sent_bytes = 0

    def one(self, number: int) -> None:
        """Create, send to the end, and note the name and the SHA-256 that it must have."""
        name = f"{self._name}-{number}.bin"
        data = random.Random(name).randbytes(self._size_bytes)
        path = self._create(name)
        if not path:
            return
        self._sent_bytes = 0
        with self._record.one("upload"):
            self._send(path, data)
            self.sent_files[name] = hashlib.sha256(data).hexdigest()
            self._record.resent(self._sent_bytes - len(data))

    def _create(self, name: str) -> str:
        headers = TUS | {
            "Upload-Length": str(self._size_bytes),
            "Upload-Metadata": encoded(filename=name, transfer=self._secret),
        }
        ask = Ask(CREATE_UPLOAD, "POST", "/files/", headers, b"", frozenset({201}))
        return urlsplit(self._ask(ask)[1].get("location", "")).path

    def _ask(self, ask: Ask) -> tuple[int, dict[str, str], str]:
        began = time.monotonic()
        if self._connection.has_news():
            self._connection.close()
        answer = answer_to(self._connection, ask)
        self._record.request(ask.kind, time.monotonic() - began, answer[2])
        return answer

    def _send(self, path: str, data: bytes) -> None:
        until = time.monotonic() + _UPLOAD_LIMIT_SECONDS
        offset = 0
        while offset < len(data):
            if time.monotonic() > until:
                raise BrokenError(f"stands at {offset} of {len(data)} after {_UPLOAD_LIMIT_SECONDS:.0f} s")
            reached = self._patch(path, data, offset)
            if reached is None:
                self._record.resumed()
                reached = self._offset(path)
                if reached < offset:
                    raise BrokenError(f"{offset} bytes were acknowledged, {reached} are there")
            offset = reached

    def _patch(self, path: str, data: bytes, offset: int) -> int | None:
        """The new offset, None if that has to be asked for."""
        chunk = data[offset : offset + _CHUNK_BYTES]
        headers = TUS | {
            "Content-Type": "application/offset+octet-stream", "Content-Length": str(len(chunk)),
            "Upload-Offset": str(offset),
        }  # fmt: skip
        try:
            status, said = self._exchange(path, headers, chunk)
        except (OSError, HTTPException):
            self._connection.close()
            return None
        return int(said) if status == 204 else None

    def _exchange(self, path: str, headers: dict[str, str], chunk: bytes) -> tuple[int, str]:
        if self._connection.has_news():
            self._connection.close()
        self._connection.putrequest("PATCH", path)
        for name, value in headers.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        whole = self._body(chunk)
        response = self._connection.getresponse()
        response.read()
        if not whole or response.status != 204:
            # What is left of the body must not be taken for a request.
            self._connection.close()
        return response.status, response.headers.get("Upload-Offset", "")

    def _body(self, chunk: bytes) -> bool:
        """Send it slowly; whether all of it went before there was an answer."""
        began = time.monotonic()
        for start in range(0, len(chunk), _PIECE_BYTES):
            if self._connection.has_news():
                return False
            piece = chunk[start : start + _PIECE_BYTES]
            self._connection.send(piece)
            self._sent_bytes += len(piece)
            self._pace.wait(began, start + len(piece))
        return True

    def _offset(self, path: str) -> int:
        """Where to go on. The common JavaScript client gives up on any answer to this but 2xx and 423."""
        ask = Ask(RESUME, "HEAD", path, TUS, expected=frozenset({200, 423}))
        until = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < until:
            status, headers, failure = self._ask(ask)
            if status == 200:
                return int(headers["upload-offset"])
            if failure and status:
                raise BrokenError(f"HEAD answers {failure}")
            time.sleep(_PAUSE_SECONDS)
        raise BrokenError(f"nobody says for {LIMIT_SECONDS:.0f} s how far it is")


def check_sent(transfer_url: str, sent: dict[str, str], record: Record) -> None:
    """Every upload that was acknowledged to its end must become a ready file with the right SHA-256."""
    until = time.monotonic() + _READY_LIMIT_SECONDS
    while True:
        found = {file["name"]: file for file in files_of(transfer_url) if file["name"] in sent}
        waiting = [name for name in sent if name not in found or found[name]["state"] == "processing"]
        if not waiting or time.monotonic() > until:
            break
        time.sleep(0.5)
    for name, sha256 in sent.items():
        file = found.get(name)
        if file is None:
            record.broken("upload", f"{name} is not in its transfer")
        elif file["state"] != "ready":
            record.broken("upload", f"{name} is {file['state']}")
        elif file["sha256"] != sha256:
            record.broken("upload", f"{name} has another SHA-256")


class Reader:
    """Downloads of one file, as slow as their line."""

    def __init__(self, port: int, path: str, sha256: str, pace: Pace, record: Record) -> None:
        self._port = port
        self._path = path
        self._sha256 = sha256
        self._pace = pace
        self._record = record

    def one(self, number: int) -> None:
        """Read to the end; nothing is tried twice."""
        connection = Connection(self._port, receive_bytes=_RECEIVE_BYTES)
        with self._record.one("download"), closing(connection):
            self._read(connection)

    def _read(self, connection: Connection) -> None:
        connection.request("GET", self._path)
        response = connection.getresponse()
        if response.status != 200:
            raise BrokenError(f"{response.status} {response.read()[:120]!r}")
        began, digest, size = time.monotonic(), hashlib.sha256(), 0
        while block := response.read(_PIECE_BYTES):
            digest.update(block)
            size += len(block)
            self._pace.wait(began, size)
        if digest.hexdigest() != self._sha256:
            raise BrokenError(
                f"other bytes than were sent, {size} of them of {response.headers['Content-Length']}"
            )
