"""Owns the measurement of cold starts: a fleet of its own, what its instances say of their start, and the tables."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

from apps.lifecycle.vocabulary import STATUS_PATH, StartPhase
from deploy.fleet.checkout import ROOT
from deploy.fleet.errors import StartError
from deploy.fleet.probes import http_get

# As /statusz has them, in milliseconds; `total` is from the first line of Python to the first time it was ready.
ColdStart = Mapping[str, float | None]

TOTAL = "total"
_UP_SECONDS = 600.0
_DOWN_SECONDS = 130.0
_STATUS_SECONDS = 60.0


# --- tables ------------------------------------------------------------------------------------------------------


def phase_rows(start: ColdStart) -> list[list[str]]:
    """One instance: a row for each phase in its order, then the total. One that others overlap may last no time."""
    phases = [phase.value for phase in StartPhase if phase.value in start]
    return [["PHASE", "MS"], *([name, milliseconds(start[name])] for name in [*phases, TOTAL])]


def fleet_rows(starts: Mapping[str, ColdStart]) -> list[list[str]]:
    """Several that were started at once: each one's total, and which was the slowest."""
    rows = [[name, milliseconds(start[TOTAL])] for name, start in sorted(starts.items())]
    known = {name: total for name, start in starts.items() if (total := start[TOTAL]) is not None}
    if not known:
        return [["INSTANCE", "MS"], *rows]
    slowest = max(known, key=lambda name: known[name])
    return [["INSTANCE", "MS"], *rows, [f"slowest: {slowest}", milliseconds(known[slowest])]]


def milliseconds(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.0f}"


def cold_start_in(body: bytes) -> ColdStart:
    """Out of what /statusz says. Raises StartError if it says nothing of it."""
    try:
        told = json.loads(body)["cold_start_ms"]
        return {str(name): None if figure is None else float(figure) for name, figure in told.items()} | {
            TOTAL: told[TOTAL]
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StartError(f"An instance does not say how it started: {body[:80]!r}") from error


def addresses_in(status: str) -> dict[str, str]:
    """Name to host:port of every web instance, out of `status --json`."""
    told: Sequence[Mapping[str, Any]] = json.loads(status)["instances"]
    return {str(unit["name"]): str(unit["address"]) for unit in told if unit["address"]}


# --- measuring ---------------------------------------------------------------------------------------------------


@contextmanager
def passing_folder() -> Iterator[Path]:
    """A data folder that is gone afterwards. PostgreSQL's account must reach it, also when we are root."""
    made = Path(tempfile.mkdtemp(prefix="spillway-coldstart-"))
    try:
        made.chmod(0o711)
        yield made / "data"
    finally:
        shutil.rmtree(made, ignore_errors=True)


def measure(data: Path, port: int, web: int) -> dict[str, ColdStart]:
    """Start so many instances at once, ask each how it started, stop them all. Raises StartError."""
    try:
        _up(data, port, web)
        addresses = addresses_in(_output(_popen(data, "status", "--json"), _STATUS_SECONDS))
        return {name: _ask(address) for name, address in addresses.items()}
    finally:
        _down(data)


def _ask(address: str) -> ColdStart:
    try:
        return cold_start_in(http_get(address, STATUS_PATH, limit_seconds=10.0)[1])
    except (OSError, HTTPException) as error:
        raise StartError(f"The instance at {address} does not answer: {error}") from error


def _up(data: Path, port: int, web: int) -> None:
    command = _popen(data, "up", "--detach", "--web", str(web), "--workers", "1", "--port", str(port))
    try:
        said = _output(command, _UP_SECONDS)
    except BaseException:
        # It must not go on to start what nobody would stop.
        command.terminate()
        command.wait(_DOWN_SECONDS)
        raise
    if command.returncode != 0:
        raise StartError("The fleet did not start.", log_tail=said.strip().splitlines()[-12:])


def _down(data: Path) -> None:
    command = _popen(data, "down")
    with suppress(subprocess.TimeoutExpired):
        command.communicate(timeout=_DOWN_SECONDS)


def _output(command: "subprocess.Popen[str]", limit_seconds: float) -> str:
    return command.communicate(timeout=limit_seconds)[0]


def _popen(data: Path, verb: str, *options: str) -> "subprocess.Popen[str]":
    # A session of its own: Ctrl-C reaches us alone, and we then stop everything in order.
    return subprocess.Popen(
        [sys.executable, str(ROOT / "spillway"), verb, "--data", str(data), *options],
        env=os.environ.copy(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if verb == "up" else subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
