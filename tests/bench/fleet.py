"""Owns the fleet that is measured: its own data folder and port, started and stopped as an operator would.

It reaches into the data folder only to add routes for the peers and to throw bytes away between two measurements.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from deploy.fleet.checkout import ROOT
from deploy.fleet.storage import write_atomically
from tests.bench.client import Client, Sent, Target

_UP_LIMIT_SECONDS = 90.0
_DOWN_LIMIT_SECONDS = 40.0
_DOWN_TRIES = 3
_LOOK_SECONDS = 0.02
# One client sends and asks far more than a person: nothing here is about the throttles.
ENVIRONMENT = {"THROTTLE_TRANSFER_CREATE": "100000/minute", "THROTTLE_LINK_OPEN": "100000/minute"}


class StartFailedError(Exception):
    """Something that should be measured did not start; the text says why."""


class Fleet:
    """A fleet in a folder that nobody else uses."""

    def __init__(self, data: Path, port: int, *, web: int, settings: Mapping[str, str] | None = None) -> None:
        self.data = data
        self._settings = settings or {}
        self.address = f"127.0.0.1:{port}"
        self._port = port
        self._web = web

    def up(self) -> tuple[float, float]:
        """Start it. Seconds from the command to the first 200 through Traefik, and to the command's end: all ready."""
        began = time.monotonic()
        command = self._popen("up", "--detach", "--port", str(self._port), "--web", str(self._web))
        try:
            first = self._first_answer(command, began)
            said, _ = command.communicate(timeout=_UP_LIMIT_SECONDS)
        except BaseException:
            # Interrupted here, it must not go on to start what nobody would stop.
            command.terminate()
            command.wait(timeout=30)
            raise
        if command.returncode != 0:
            raise StartFailedError(f"`spillway up` failed: {said.strip().splitlines()[-1:]}")
        return first, time.monotonic() - began

    def _first_answer(self, command: "subprocess.Popen[str]", began: float) -> float:
        while command.poll() is None and time.monotonic() - began < _UP_LIMIT_SECONDS:
            if answers(self.address, "/"):
                break
            time.sleep(_LOOK_SECONDS)
        return time.monotonic() - began

    def down(self) -> None:
        """Stop it; asked again if need be: whoever is stopped while it starts may not have heard the first time."""
        for _ in range(_DOWN_TRIES):
            command = self._popen("down")
            with suppress(subprocess.TimeoutExpired):
                command.communicate(timeout=_DOWN_LIMIT_SECONDS)
                return
            command.kill()
            command.wait()

    def units(self) -> dict[str, dict[str, Any]]:
        """Everything that `status --json` names, by name."""
        said, _ = self._popen("status", "--json").communicate(timeout=30)
        status = json.loads(said)
        return {unit["name"]: unit for unit in [*status["instances"], *status["services"]]}

    def stop(self, name: str) -> None:
        """Stop one unit and wait until it is gone."""
        self._popen("stop", name).communicate(timeout=30)
        until = time.monotonic() + 30
        while self.units()[name]["pid"] and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)

    def _popen(self, verb: str, *options: str) -> "subprocess.Popen[str]":
        # A session of its own: Ctrl-C reaches the benchmark alone, which then stops everything in order.
        return subprocess.Popen(
            [sys.executable, str(ROOT / "spillway"), verb, "--data", str(self.data), *options],
            env={**os.environ, **ENVIRONMENT, **self._settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if verb == "up" else None,
            start_new_session=True,
            text=True,
        )

    def route(self, configuration: Mapping[str, Any]) -> None:
        """Add routes to its Traefik, which watches this folder. JSON is YAML."""
        write_atomically(self.data / "traefik" / "dynamic" / "bench.yml", json.dumps(configuration))

    def forget(self, sent: list[Sent]) -> None:
        """Remove transfers and what is staged: a disk busy with the last measurement would slow the next."""
        client = Client(Target("", self.address, ""), memoryview(b""))
        for one in sent:
            path = one.transfer_path.replace("/t/", "/m/")
            client.ask("DELETE", path, 204, {"Transfer-Secret": one.secret})
        client.close()
        empty(self.data / "store" / "staging")


def empty(folder: Path) -> None:
    """Remove what is in a folder, not the folder, and let the disk come to rest."""
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    os.sync()


def answers(address: str, path: str, status: int = 200) -> bool:
    """Whether it answers with this status, right now."""
    connection = HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == status
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
