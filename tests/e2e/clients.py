"""Owns how a test sends and receives files: tuspy as programs do, requests for the rest."""

import hashlib
import io
import random
import time
from base64 import b64encode
from pathlib import Path
from typing import Any, BinaryIO

import requests
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError
from tusclient.uploader import Uploader

from tests.e2e.fleet import wait_until

JSON = {"Accept": "application/json"}


def random_file(path: Path, size: int, seed: int = 1) -> str:
    """Write `size` random bytes and return their SHA-256 in hex."""
    source, digest = random.Random(seed), hashlib.sha256()
    with path.open("wb") as file:
        for start in range(0, size, 2**20):
            block = source.randbytes(min(2**20, size - start))
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


class Sending:
    """One upload by tuspy that goes on by itself, and counts what it sends."""

    def __init__(
        self,
        url: str,
        file: BinaryIO,
        *,
        name: str = "a.bin",
        chunk_bytes: int = 4 * 2**20,
        pause_seconds: float = 0.0,
        **metadata: str,
    ) -> None:
        """`pause_seconds` is waited after each chunk: a sender whose line is slower than this machine."""
        self._pause_seconds = pause_seconds
        self.sent_bytes = 0
        self.urls: set[str] = set()
        self.transfer_url = ""
        self._uploader: Uploader = TusClient(f"{url}/files/").uploader(
            file_stream=file, chunk_size=chunk_bytes, metadata={"filename": name, **metadata}, retries=0
        )

    @property
    def offset(self) -> int:
        """Bytes the server has acknowledged."""
        return int(self._uploader.offset)

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return int(self._uploader.get_file_size())

    def hurry(self, chunk_bytes: int = 4 * 2**20) -> None:
        """Send the rest without pauses."""
        self._pause_seconds, self._uploader.chunk_size = 0.0, chunk_bytes

    def run(self, *, tries: int = 200) -> None:
        """Send to the end. A failed request is followed by a HEAD and a PATCH from there, as the protocol says."""
        for _ in range(tries):
            try:
                self._go_on()
                return
            except (TusCommunicationError, requests.RequestException):
                time.sleep(0.2)
        raise AssertionError("the upload did not get through")

    def _go_on(self) -> None:
        uploader = self._uploader
        if uploader.url:
            uploader.offset = uploader.get_offset()
        while uploader.offset < self.size:
            self.sent_bytes += min(uploader.chunk_size, self.size - uploader.offset) if uploader.url else 0
            uploader.upload_chunk()
            self.urls.add(uploader.url)
            time.sleep(self._pause_seconds)


def upload(
    url: str, data: bytes, *, name: str = "a.bin", length: int | None = None, **metadata: str
) -> tuple[str, requests.Response]:
    """Creation with upload, in one request; returns the transfer's URL and the response."""
    response = requests.post(
        f"{url}/files/",
        data=data,
        headers={
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(len(data) if length is None else length),
            "Upload-Metadata": encoded(filename=name, **metadata),
            "Content-Type": "application/offset+octet-stream",
        },
        timeout=60,
    )
    return response.headers.get("Transfer-URL", ""), response


def encoded(**pairs: str) -> str:
    """Upload-Metadata."""
    return ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in pairs.items())


def files_of(transfer_url: str) -> list[dict[str, Any]]:
    """A transfer's files, as programs see them."""
    response = requests.get(transfer_url, headers=JSON, timeout=20)
    response.raise_for_status()
    return list(response.json()["files"])


def wait_ready(transfer_url: str, *, count: int = 1, seconds: float = 60) -> list[dict[str, Any]]:
    """The files once all of them are ready."""
    wait_until(
        lambda: len(files := files_of(transfer_url)) == count and all(f["state"] == "ready" for f in files),
        seconds,
        "every file ready",
        every_seconds=0.5,  # opening a link is throttled, for tests as for everybody
    )
    return files_of(transfer_url)


def download(file: dict[str, Any], **headers: str) -> requests.Response:
    """A download as a browser would do it."""
    return requests.get(file["url"], headers=headers, timeout=120, stream=True)


def sha256_of(response: requests.Response) -> str:
    """The SHA-256 of a body, without holding it."""
    digest = hashlib.sha256()
    for block in response.iter_content(2**20):
        digest.update(block)
    return digest.hexdigest()


def in_memory(data: bytes) -> BinaryIO:
    """A file of these bytes."""
    return io.BytesIO(data)
