"""Owns the steady load: an open loop of requests, slow uploads and slow downloads for as long as a block takes.

Nothing of it is tried twice but what its protocol tells a client to try again: a PATCH, after a HEAD.
"""

import hashlib
import random
import threading
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.e2e.clients import JSON, encoded, upload, wait_ready
from tests.e2e.fleet import wait_until
from tests.load.asking import Ask, OpenLoop
from tests.load.records import Record, Report
from tests.load.streams import CREATE_UPLOAD, TUS, Pace, Reader, Sender, Stream, check_sent

# What a proxy must not send again: who is killed may have acted on it.
WRITES = frozenset({CREATE_UPLOAD, "POST file"})
_DOWNLOAD_BYTES = 4 * 2**20
_UPLOAD_BYTES = 3 * 2**20
_BYTES_PER_SECOND = 200_000.0
_PAGE = {"Accept": "text/html"}
_JOIN_SECONDS = 300.0


class SteadyLoad:
    """A context manager. `rate` requests a second; it begins once all uploads and downloads are under way."""

    def __init__(self, url: str, *, rate: float = 25.0, uploads: int = 5, downloads: int = 5) -> None:
        self._url = url
        self._rate = rate
        self._uploads = uploads
        self._downloads = downloads
        self._port = urlsplit(url).port or 80
        self._record = Record()
        self._stop = threading.Event()
        self._pace = Pace(_BYTES_PER_SECOND, threading.Event())
        self._senders: list[Sender] = []
        self._streams: list[Stream] = []
        self._loop: OpenLoop
        self._transfer_url = ""
        self._began = 0.0
        self._seconds = 0.0

    def __enter__(self) -> Self:
        asks = self._prepare()
        self._loop = OpenLoop(self._port, asks, self._rate, self._record)
        self._began = time.monotonic()
        self._loop.start()
        for stream in self._streams:
            stream.start()
        wait_until(self._is_under_way, 60, "every upload and download is under way")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._loop.stop()
        self._seconds = time.monotonic() - self._began
        # What is under way is brought to its end: only then is it known to be whole.
        self._pace.hurry.set()
        for stream in self._streams:
            stream.join(_JOIN_SECONDS)
        if kind is None:
            assert not any(stream.is_alive() for stream in self._streams), "a stream has not come to its end"
            sent = {name: sha256 for sender in self._senders for name, sha256 in sender.sent_files.items()}
            check_sent(self._transfer_url, sent, self._record)

    def report(self) -> Report:
        """What became of it; call it after the block."""
        return self._record.report(self._seconds)

    def check(self) -> None:
        """See Report.check."""
        self.report().check()

    def _is_under_way(self) -> bool:
        return (
            self._record.under_way("upload") >= self._uploads
            and self._record.under_way("download") >= self._downloads
            and self._record.requested >= self._rate
        )

    # --- what is asked for -----------------------------------------------------------------------------------

    def _prepare(self) -> list[Ask]:
        data = random.Random(1).randbytes(_DOWNLOAD_BYTES)
        share_url, response = upload(self._url, data, name="shared.bin")
        assert response.status_code == 201, response.text
        file_path = urlsplit(wait_ready(share_url)[0]["url"]).path
        self._transfer_url, response = upload(self._url, b"first", name="first.txt")
        self._make_streams(response.headers["Transfer-Secret"], file_path, hashlib.sha256(data).hexdigest())
        return self._asks(urlsplit(share_url).path)

    def _make_streams(self, secret: str, file_path: str, sha256: str) -> None:
        for number in range(self._uploads):
            name = f"sender-{number}"
            sender = Sender(self._port, name, secret, _UPLOAD_BYTES, self._pace, self._record)
            self._senders.append(sender)
            self._streams.append(Stream(name, sender.one, self._stop))
        reader = Reader(self._port, file_path, sha256, self._pace, self._record)
        self._streams += [Stream(f"reader-{n}", reader.one, self._stop) for n in range(self._downloads)]

    def _asks(self, share: str) -> list[Ask]:
        """Ten requests, asked in turn."""
        unfinished = upload(self._url, b"", name="unfinished.bin", length=5)[1].headers["Location"]
        front = Ask("GET page", "GET", "/", _PAGE)
        shared = Ask("GET share page", "GET", share, _PAGE)
        program = Ask("GET share JSON", "GET", share, JSON)
        # 423 makes its client ask again; it counts as an answer, and the next one must come as well.
        offset = Ask("HEAD upload", "HEAD", urlsplit(unfinished).path, TUS, expected=frozenset({200, 423}))
        head = Ask("HEAD page", "HEAD", share, _PAGE)
        creation = self._creation()
        return [front, shared, program, offset, front, creation, shared, head, program, front]

    def _creation(self) -> Ask:
        """A whole small file, added to a transfer of its own: making many transfers is throttled."""
        secret = upload(self._url, b"first", name="first.txt")[1].headers["Transfer-Secret"]
        body = b"x" * 10_000
        headers = TUS | {
            "Content-Type": "application/offset+octet-stream", "Upload-Length": str(len(body)),
            "Upload-Metadata": encoded(filename="small.bin", transfer=secret),
        }  # fmt: skip
        return Ask("POST file", "POST", "/files/", headers, body, frozenset({201}))
