"""Owns `bench one`: what a single instance carries, with as many threads as in production: pages, downloads, uploads.

Asserts nothing. The visitors and senders share the machine, so beside each speed stands the processor time it cost.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

from rich.table import Table

from deploy.fleet.platforms.embedded.network_ports import is_free
from tests.bench.client import (
    CHUNK_BYTES,
    Client,
    Sent,
    Target,
    UnexpectedAnswerError,
    upload_at_once,
    upload_once,
)
from tests.bench.fleet import Fleet
from tests.bench.units import KIB, MIB, megabytes_per_second
from tests.bench.usage import Usage
from tests.bench.visitors import Crowd, may_open

THREADS = 32
UPLOADS = THREADS * 3 // 4
VISITORS = 32
SECONDS = 10.0
_INSTANCE = "web-1"
_READY_SECONDS = 30.0


@dataclass(frozen=True)
class Carried:
    """One figure: how much a second in `unit`, the instance's processor seconds for each, its most memory."""

    what: str
    rate: float
    unit: str
    cpu_seconds: float
    peak_bytes: int
    remark: str


def measured(*, seconds: float) -> Iterator[Carried]:
    may_open(VISITORS)
    buffer = memoryview(os.urandom(CHUNK_BYTES))
    with _one_instance() as fleet:
        pid = fleet.units()[_INSTANCE]["pid"]
        target = Target("spillway", fleet.address, "/files/")
        sent = upload_once(target, buffer, 64 * KIB)
        file_path = _ready_file(target, sent)
        yield _visited("pages of a link", fleet, pid, sent.transfer_path, seconds)
        yield _visited("downloads of 64 KiB", fleet, pid, file_path, seconds)
        # Assembling would take the processors.
        fleet.stop("worker-1")
        yield _uploaded(target, buffer, pid)


@contextmanager
def _one_instance() -> Iterator[Fleet]:
    with ExitStack() as cleanup:
        folder = Path(tempfile.mkdtemp(prefix="spillway-bench-"))
        # PostgreSQL runs as another user when we are root, and must be able to reach its folder.
        folder.chmod(0o711)
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        port = next(port for port in range(17_000, 19_990) if is_free("127.0.0.1", port))
        fleet = Fleet(folder / "data", port, web=1, settings={"WEB_THREADS": str(THREADS)})
        cleanup.callback(fleet.down)
        _say("starting one instance")
        fleet.up()
        yield fleet


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _ready_file(target: Target, sent: Sent) -> str:
    client, until = Client(target, memoryview(b"")), time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        found = client.look(sent.transfer_path)
        if found["state"] == "ready":
            return urlsplit(str(found["files"][0]["url"])).path
        time.sleep(0.05)
    raise UnexpectedAnswerError(f"{sent.transfer_path} is not ready after {_READY_SECONDS:.0f} s")


def _visited(what: str, fleet: Fleet, pid: int, path: str, seconds: float) -> Carried:
    """Visitors that ask again as soon as they were answered."""
    _say(f"{VISITORS} visitors, {what}")
    crowd = Crowd(int(fleet.address.rpartition(":")[2]), path, think_seconds=(0.0, 0.0))
    with Usage({_INSTANCE: pid}) as usage:
        began = time.monotonic()
        asyncio.run(crowd.visit(VISITORS, arrive_seconds=0.2, until=began + seconds))
        lasted = time.monotonic() - began
    told = crowd.told
    if set(told.statuses) != {200} or told.troubles:
        raise UnexpectedAnswerError(f"{what}: {dict(told.statuses)} {dict(told.troubles)}")
    count = told.statuses[200]
    p50, p95 = (quantiles([took for _, took in told.times], n=20)[place] * 1000 for place in (9, 18))
    return Carried(
        what, count / lasted, "a second", usage.cpu_seconds[_INSTANCE] / count, usage.peak_bytes[_INSTANCE],
        f"half within {p50:.0f} ms, p95 {p95:.0f} ms",
    )  # fmt: skip


def _uploaded(target: Target, buffer: memoryview, pid: int) -> Carried:
    """As many at once as an instance takes, every part on the disk before it is acknowledged."""
    _say(f"{UPLOADS} uploads at once")
    size = 64 * MIB
    with Usage({_INSTANCE: pid}) as usage:
        seconds, sent = upload_at_once(target, buffer, size, UPLOADS)
    megabytes = size * UPLOADS / 1e6
    return Carried(
        f"{UPLOADS} uploads at once", megabytes_per_second(size * UPLOADS, seconds), "MB/s",
        usage.cpu_seconds[_INSTANCE] / megabytes, usage.peak_bytes[_INSTANCE],
        f"64 MiB each in 16 MiB chunks; {sum(one.tries_again for one in sent)} chunks tried again",
    )  # fmt: skip


def table(rows: list[Carried]) -> Table:
    title = f"One instance of {THREADS} threads behind Traefik; {VISITORS} visitors without a pause"
    shown = Table(title=title, title_justify="left")
    for number, name in enumerate(("what", "figure", "processor time", "peak memory", "")):
        shown.add_column(name, justify="right" if 0 < number < 4 else "left")
    for row in rows:
        each = "MB" if row.unit == "MB/s" else "answer"
        shown.add_row(
            row.what, f"{row.rate:,.0f} {row.unit}", f"{row.cpu_seconds * 1000:.2f} ms per {each}",
            f"{row.peak_bytes / 1e6:.0f} MB", row.remark,
        )  # fmt: skip
    return shown
