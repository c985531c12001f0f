"""Owns `bench smoke`: which figures are taken, in which order, within which time. Asserts nothing.

What may not last: every step looks at the clock first, and one that fails costs its own figure only.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path

import psutil

from deploy.fleet.errors import FleetError
from deploy.fleet.platforms.embedded.network_ports import is_free
from tests.bench import contenders
from tests.bench.client import (
    CHUNK_BYTES,
    Client,
    Sent,
    Target,
    UnexpectedAnswerError,
    put_once,
    upload_at_once,
    upload_once,
)
from tests.bench.contenders import Started
from tests.bench.fleet import Fleet, StartFailedError, empty
from tests.bench.memory import Growth, worker_pids
from tests.bench.units import GIB, MIB, Row, megabytes_per_second, spread

LIMIT_SECONDS = (
    300.0  # then what is left is skipped; the rest of six minutes is for ending the step and for stopping
)
ROUNDS = 3
CLIENTS = 16
CLIENT_BYTES = 64 * MIB
INSTANCES = 3
_READY_LIMIT_SECONDS = 60.0
_ONE_PUT = {"limit", "direct"}  # targets that are no tus servers
FAILURES = (
    StartFailedError,
    UnexpectedAnswerError,
    OSError,
    ValueError,
    LookupError,
    HTTPException,
    subprocess.SubprocessError,
    psutil.Error,
    FleetError,
)


class Smoke:
    """One run. `rows` holds what has been measured so far, whatever happens next."""

    def __init__(self, folder: Path, cleanup: ExitStack) -> None:
        self.rows: list[Row] = []
        self._folder = folder
        self._cleanup = cleanup
        self._began = time.monotonic()
        self._ports = iter(port for port in range(17_000, 19_990) if is_free("127.0.0.1", port))
        self._buffer = memoryview(os.urandom(CHUNK_BYTES))
        self._fleet = Fleet(folder / "data", next(self._ports), web=INSTANCES)
        self._unsynced: list[Started] = []
        self._targets: dict[str, Target] = {}
        self._figures: dict[tuple[str, str], list[float]] = {}

    def run(self) -> None:
        """Everything, in an order in which no step disturbs the next."""
        self._cleanup.callback(self._fleet.down)
        if not self._step("starting the fleet, twice", self._starts):
            return
        self._step("one upload and one download of 1 GiB", self._memory_and_assembly)
        self._step("one instance, from nothing", self._instances)
        if self._step("the peers", self._peers):
            self._step("one client, in turns", self._one_client)
            self._step(f"{CLIENTS} clients, in turns", self._many_clients)

    def _step(self, title: str, measure: Callable[[], None]) -> bool:
        """Whether it could be measured."""
        if self._left_seconds() <= 0:
            self._row(title, "skipped: out of time", "", "")
            return False
        print(f"{time.monotonic() - self._began:6.1f} s  {title}", file=sys.stderr, flush=True)
        try:
            measure()
        except FAILURES as error:
            self._row(title, "no figure", "", f"{type(error).__name__}: {error}")
            return False
        return True

    def _left_seconds(self) -> float:
        return self._began + LIMIT_SECONDS - time.monotonic()

    def _row(self, what: str, figure: str, target: str, how: str) -> None:
        self.rows.append(Row(what, figure, target, how))

    # --- starting ------------------------------------------------------------------------------------------------

    def _starts(self) -> None:
        for what, target in (("first", "-"), ("second", "<= 8 s")):
            self._fleet.down()
            answered, ready = self._fleet.up()
            how = f"command to first 200 through Traefik; all {INSTANCES} instances ready after {ready:.1f} s"
            self._row(f"`spillway up`, the {what} time", f"{answered:.1f} s", target, how)

    def _instances(self) -> None:
        self._unsynced = [self._instance(number) for number in range(1, INSTANCES + 1)]
        how = f"/statusz of the last, in ms: {contenders.cold_start_phases(self._unsynced[-1].address)}"
        seconds = spread([one.seconds for one in self._unsynced], "s", 2)
        self._row("one instance, spawn to ready", seconds, "<= 1.5 s", how)

    def _instance(self, number: int) -> Started:
        started = contenders.start_instance(self._fleet, f"bench-{number}", next(self._ports), fsync=False)
        self._cleanup.callback(started.stop)
        return started

    # --- memory and assembling -----------------------------------------------------------------------------------

    def _memory_and_assembly(self) -> None:
        masters = [unit["pid"] for name, unit in self._fleet.units().items() if name.startswith("web-")]
        workers = worker_pids(masters)
        target = Target("spillway", self._fleet.address, "/files/")
        with Growth(workers) as grown:
            sent = upload_once(target, self._buffer, GIB, chunk_bytes=GIB)
        self._growth("an upload", grown, "one PATCH, fsync on")
        seconds, path = self._assembled(target, sent)
        figure = spread([megabytes_per_second(GIB, seconds)], "MB/s")
        self._row("assembling 1 GiB", figure, "-", f"last byte to `ready`, fsync on: {seconds:.1f} s")
        self._downloaded(target, path, workers)
        self._fleet.forget([sent])

    def _growth(self, of: str, grown: Growth, how: str) -> None:
        figure = f"{grown.most_bytes / 1e6:.1f} MB"
        self._row(
            f"memory growth during {of} of 1 GiB",
            figure,
            "< 20 MB",
            f"{how}; VmRSS of the worker that grew most",
        )

    def _assembled(self, target: Target, sent: Sent) -> tuple[float, str]:
        """Seconds until the file is ready, and where it can be had."""
        client, began = Client(target, self._buffer), time.monotonic()
        while time.monotonic() - began < _READY_LIMIT_SECONDS:
            found = client.look(sent.transfer_path)
            if found["state"] == "ready":
                return time.monotonic() - began, found["files"][0]["url"]
            time.sleep(0.02)
        raise UnexpectedAnswerError(
            f"not ready after {_READY_LIMIT_SECONDS:.0f} s: {json.dumps(found)[:200]}"
        )

    def _downloaded(self, target: Target, path: str, workers: list[int]) -> None:
        with Growth(workers) as grown:
            seconds = Client(target, self._buffer).download(path)
        self._growth("a download", grown, "nginx sends the bytes")
        self._row(
            "one download of 1 GiB",
            spread([megabytes_per_second(GIB, seconds)], "MB/s"),
            "-",
            "through Traefik",
        )

    # --- uploads, side by side -----------------------------------------------------------------------------------

    def _peers(self) -> None:
        limit = contenders.start_limit(self._folder / "limit", next(self._ports))
        self._cleanup.callback(limit.stop)
        peer = self._peer()
        unsynced = [one.address for one in self._unsynced]
        self._fleet.route(contenders.routes(unsynced, peer.address if peer else None, limit.address))
        # Assembling would take the processors from the next measurement; the peer does not assemble.
        self._fleet.stop("worker-1")
        self._targets = contenders.targets(self._fleet, limit.address)
        del self._targets["adopted"]
        if peer is None:
            del self._targets["peer"]

    def _peer(self) -> Started | None:
        folder, files = self._folder / "peer", self._folder / "peer-files"
        files.mkdir()
        try:
            contenders.install_peer(folder)
            started = contenders.start_peer(folder, files, next(self._ports))
        except FAILURES as error:
            self._row("the Node server", "no figure", "", str(error))
            return None
        self._cleanup.callback(started.stop)
        return started

    def _one_client(self) -> None:
        series = "one client"
        self._rounds(series, self._targets, self._upload_one)
        what, peer = f"{series}, 1 GiB in 16 MiB chunks", self._shown(series, "peer")
        how = "through Traefik, in turns with the Node server (@tus/server, its file store); neither fsyncs"
        self._row(f"{what}, fsync off", self._shown(series, "unsynced"), f">= Node: {peer}", how)
        how = "as shipped: every part is on the disk before it is acknowledged; Node's store never fsyncs"
        self._row(f"{what}, fsync on", self._shown(series, "spillway"), f"Node: {peer}", how)
        how = "one PUT of 1 GiB into a file, through Traefik, no fsync: the limit"
        self._row(f"{series}, nginx", self._shown(series, "limit"), "-", how)
        how = "the same PUT without Traefik: what this client can send"
        self._row("the client itself", self._shown(series, "direct"), "above all others", how)

    def _many_clients(self) -> None:
        series = f"{CLIENTS} clients"
        tus = {name: target for name, target in self._targets.items() if name not in _ONE_PUT}
        self._rounds(series, tus, self._upload_many)
        what, peer = f"{series}, {CLIENT_BYTES // MIB} MiB each", self._shown(series, "peer")
        how = f"all together, in turns; {INSTANCES} instances, one Node process"
        self._row(f"{what}, fsync off", self._shown(series, "unsynced"), f">= Node: {peer}", how)
        self._row(f"{what}, fsync on", self._shown(series, "spillway"), f"Node: {peer}", "as shipped")

    def _rounds(self, series: str, targets: dict[str, Target], upload: Callable[[Target], float]) -> None:
        """A B C, A B C, ...: whatever else this machine does meets all of them alike."""
        for _ in range(ROUNDS):
            for name, target in targets.items():
                if self._left_seconds() > 0:
                    self._figures.setdefault((series, name), []).append(upload(target))

    def _upload_one(self, target: Target) -> float:
        if target.name in _ONE_PUT:
            return megabytes_per_second(GIB, put_once(target, self._buffer, GIB))
        sent = upload_once(target, self._buffer, GIB)
        self._clear(target, [sent])
        return megabytes_per_second(GIB, sent.seconds)

    def _upload_many(self, target: Target) -> float:
        seconds, sent = upload_at_once(target, self._buffer, CLIENT_BYTES, CLIENTS)
        self._clear(target, sent)
        return megabytes_per_second(CLIENTS * CLIENT_BYTES, seconds)

    def _clear(self, target: Target, sent: list[Sent]) -> None:
        if target.name == "peer":
            empty(self._folder / "peer-files")
        else:
            self._fleet.forget(sent)

    def _shown(self, series: str, name: str) -> str:
        return spread(self._figures.get((series, name), []), "MB/s")
