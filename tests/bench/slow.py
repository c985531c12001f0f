"""Owns `bench slow`: many slow senders whose lines break in the middle of a chunk, and what is left of what they sent;
meanwhile, what a page takes. Once with bodies that stream through an instance, once with ones that nginx takes first.
"""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from urllib.parse import urlsplit

from rich.table import Table

from tests.bench.client import Client, Target
from tests.bench.contenders import UNSYNCED_HEADER
from tests.bench.stage import stage
from tests.bench.units import KIB, MIB
from tests.bench.usage import Usage

THREADS = 64
_CHUNK_BYTES = 16 * MIB
_STEP_BYTES, _STEP_SECONDS = 16 * KIB, 0.25
_PAGE_SECONDS = 0.1
_TUS = {"Tus-Resumable": "1.0.0"}


@dataclass(frozen=True)
class Kept:
    """One way: what was sent and kept in bytes, a page's seconds, the senders' share of processors, peak memory."""

    title: str
    senders: int
    sent_bytes: int
    kept_bytes: int
    refused: int
    page_seconds: tuple[float, ...]
    processors: float
    peak_bytes: int
    peak_bytes_before: int


@dataclass(frozen=True)
class _Way:
    title: str
    target: Target
    own: tuple[str, ...]


def measured(*, senders: int, seconds: float) -> list[Kept]:
    with stage(web=1) as on:
        one = on.start_instance("bench-1", fsync=True, WEB_THREADS=str(THREADS))
        on.start_nginx()
        targets = on.route([one.address])
        pages = Target("pages", on.fleet.address, "/", UNSYNCED_HEADER)
        ways = (
            _Way(f"streamed by one instance of {THREADS} threads", targets["unsynced"], ("bench-1",)),
            _Way("nginx writes, a stub adopts", targets["adopted"], ("nginx", "adopter")),
        )
        pids = on.pids()
        found = []
        for way in ways:
            on.say(f"{senders} slow senders, {way.title}")
            roots = {name: pids[name] for name in way.own}
            found.append(_one(way, pages, roots, senders=senders, seconds=seconds))
        return found


def _one(way: _Way, pages: Target, roots: Mapping[str, int], *, senders: int, seconds: float) -> Kept:
    with Usage(roots) as before:
        locations = [_created(way.target) for _ in range(senders)]
    began = time.monotonic()
    with Usage(roots) as usage, _page_times(pages) as page_seconds, ThreadPoolExecutor(senders) as pool:
        sent = list(pool.map(lambda path: _trickle(way.target, path, seconds), locations))
    lasted = time.monotonic() - began
    kept = sum(_offset(way.target, path) for path in locations)
    return Kept(
        title=way.title,
        senders=senders,
        sent_bytes=sum(size for size in sent if size is not None),
        kept_bytes=kept,
        refused=sum(size is None for size in sent),
        page_seconds=tuple(page_seconds),
        processors=sum(usage.cpu_seconds.values()) / lasted,
        peak_bytes=sum(usage.peak_bytes.values()),
        peak_bytes_before=sum(before.peak_bytes.values()),
    )


def _created(target: Target) -> str:
    client = Client(target, memoryview(b""))
    headers = _TUS | {
        "Upload-Length": str(_CHUNK_BYTES),
        "Upload-Metadata": "filename YQ==",
        "Content-Length": "0",
    }
    answer = client.ask("POST", target.path, 201, headers)
    client.close()
    return urlsplit(answer.headers["Location"]).path


def _offset(target: Target, path: str) -> int:
    client = Client(target, memoryview(b""))
    answer = client.ask("HEAD", path, 200, _TUS)
    client.close()
    return int(answer.headers["Upload-Offset"])


def _trickle(target: Target, path: str, seconds: float) -> int | None:
    """Send a chunk's beginning slowly, then lose the line. Bytes that were sent; None if it was refused meanwhile."""
    host, _, port = target.address.rpartition(":")
    headers = {
        "Host": target.address, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0",
        "Content-Length": str(_CHUNK_BYTES), **_TUS, **target.headers,
    }  # fmt: skip
    head = f"PATCH {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((host, int(port)), timeout=30) as line:
        line.sendall(f"{head}\r\n".encode())
        sent, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            line.sendall(bytes(_STEP_BYTES))
            sent += _STEP_BYTES
            time.sleep(_STEP_SECONDS)
        line.setblocking(False)
        try:
            return None if line.recv(1) else sent
        except BlockingIOError:
            return sent


@contextmanager
def _page_times(pages: Target) -> Iterator[list[float]]:
    """How long a page takes, asked again and again from one thread until the block ends."""
    found: list[float] = []
    ended = threading.Event()

    def ask() -> None:
        client = Client(pages, memoryview(b""))
        while not ended.wait(_PAGE_SECONDS):
            began = time.perf_counter()
            client.ask("GET", "/", 200, {})
            found.append(time.perf_counter() - began)
        client.close()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield found
    finally:
        ended.set()
        asking.join()


def table(rows: list[Kept], seconds: float) -> Table:
    speed = _STEP_BYTES / KIB / _STEP_SECONDS
    title = f"Slow senders ({speed:.0f} KiB/s each) whose lines break after {seconds:.0f} s"
    shown = Table(title=title, title_justify="left")
    names = (
        "way",
        "senders",
        "refused",
        "sent MB",
        "kept",
        "page p50 ms",
        "p95 ms",
        "processors",
        "peak memory",
    )
    for number, name in enumerate(names):
        shown.add_column(name, justify="right" if number else "left")
    for row in rows:
        shown.add_row(*_cells(row))
    return shown


def _cells(row: Kept) -> list[str]:
    return [
        row.title,
        str(row.senders),
        str(row.refused),
        f"{row.sent_bytes / 1e6:.1f}",
        f"{100 * row.kept_bytes / max(1, row.sent_bytes):.1f} %",
        f"{1000 * median(row.page_seconds):.0f}",
        f"{1000 * quantiles(row.page_seconds, n=20)[-1]:.0f}",
        f"{row.processors:.2f}",
        f"{row.peak_bytes / 1e6:.0f} MB (before {row.peak_bytes_before / 1e6:.0f})",
    ]
