"""Owns one upload's client process: its file, its start, its log, its end. Knows no protocol."""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.e2e.fleet import CHECKOUT
from tests.survive.clients.order import Order, Told, told_in
from tests.survive.plan import MIB, Client, Planned

LIMIT_SECONDS = 300.0
_LOOK_SECONDS = 0.05
_TAIL_LINES = 25
_SOURCES = Path(__file__).parent / "clients"
_NODE_PROGRAM = "tus_js_client.mjs"


@dataclass(frozen=True)
class Sent:
    """An upload that has come to its end, one way or the other. `log` is the end of what its client noted."""

    planned: Planned
    sha256: str
    told: Told
    seconds: float
    log: Sequence[str] = ()

    @property
    def met_an_error(self) -> bool:
        """Whether something was answered 500: nobody's promise, but somebody's mistake."""
        return any(kind.endswith(" 500") for kind in self.told.answers)


class Senders:
    """Clients of one transfer, each in a process and with a file of its own under `folder`."""

    def __init__(self, folder: Path, url: str, transfer_secret: str) -> None:
        self._folder = folder
        self._endpoint = f"{url}/files/"
        self._secret = transfer_secret
        self._stop = threading.Event()
        self._environment = os.environ | {"PATH": path_with_node()}

    def stop(self) -> None:
        """Whoever still sends is killed."""
        self._stop.set()

    def send(self, planned: Planned, not_before: float = 0.0) -> Sent:
        """Run the client to its end, in this thread. `not_before` is a time of the monotonic clock."""
        self._stop.wait(max(0.0, not_before - time.monotonic()))
        path = self._folder / planned.name
        sha256 = _write_random(path, planned)
        began = time.monotonic()
        try:
            told, log = self._run(planned, path)
        finally:
            path.unlink()
        return Sent(planned, sha256, told, time.monotonic() - began, log)

    def _run(self, planned: Planned, path: Path) -> tuple[Told, list[str]]:
        order = Order(
            self._endpoint, str(path), planned.name, self._secret, planned.chunk_bytes, planned.line_bytes_per_second
        )  # fmt: skip
        log, out = path.with_suffix(".log"), path.with_suffix(".out")
        with log.open("w") as stderr, out.open("w") as stdout:
            process = subprocess.Popen(
                [*self._program(planned.client), order.as_argument()],
                cwd=CHECKOUT, env=self._environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            )  # fmt: skip
            ended = self._wait(process)
        told = told_in(out.read_text())
        if not ended:
            told.error = f"not done after {LIMIT_SECONDS:.0f} s"
        return told, log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]

    def _program(self, client: Client) -> list[str]:
        if client is Client.TUS_JS:
            return ["node", str(self._folder / "node" / _NODE_PROGRAM)]
        module = {Client.TUSPY: "tuspy_client", Client.CURL: "curl_client"}[client]
        return [sys.executable, "-m", f"tests.survive.clients.{module}"]

    def _wait(self, process: "subprocess.Popen[bytes]") -> bool:
        """Whether it ended by itself."""
        until = time.monotonic() + LIMIT_SECONDS
        while process.poll() is None:
            if self._stop.is_set() or time.monotonic() > until:
                process.kill()
                process.wait()
                return False
            time.sleep(_LOOK_SECONDS)
        return True


def _write_random(path: Path, planned: Planned) -> str:
    """The file's bytes; returns their SHA-256 in hex."""
    random, digest = Random(planned.name), hashlib.sha256()
    with path.open("wb") as file:
        for start in range(0, planned.size_bytes, MIB):
            block = random.randbytes(min(MIB, planned.size_bytes - start))
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def install_node_client(folder: Path) -> None:
    """tus-js-client as pinned, with our program beside it, into `folder`/node. Fails with npm's own words."""
    target = folder / "node"
    target.mkdir()
    for name in ("package.json", "package-lock.json", _NODE_PROGRAM):
        shutil.copy(_SOURCES / name, target)
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"],
        cwd=target, env=os.environ | {"PATH": path_with_node()}, capture_output=True, text=True, timeout=180,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"npm ci: {done.stderr.strip()}"


def path_with_node() -> str:
    """Where the machine has no node, `./spillway` has put one beside our Python."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
