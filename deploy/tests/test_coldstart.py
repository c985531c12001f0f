"""How a cold start is told, and one that is measured for real."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deploy.fleet.checkout import ROOT
from deploy.fleet.cli import parse
from deploy.fleet.coldstart import (
    ColdStart,
    addresses_in,
    cold_start_in,
    fleet_rows,
    passing_folder,
    phase_rows,
)
from deploy.fleet.errors import StartError, UsageError
from deploy.tests.conftest import wait_until

STARTED = {
    "interpreter": 120.4, "imports": 390.0, "setup": 560.0, "fork": 8.2, "pool": 150.0, "first_checks": 0.0,
    "first_page": 12.0, "total": 1240.6,
}  # fmt: skip


def test_the_phases_are_shown_in_their_order_and_then_the_total() -> None:
    shuffled = dict(reversed(STARTED.items()))
    assert phase_rows(shuffled) == [
        ["PHASE", "MS"], ["interpreter", "120"], ["imports", "390"], ["setup", "560"], ["fork", "8"],
        ["pool", "150"], ["first_checks", "0"], ["first_page", "12"], ["total", "1241"],
    ]  # fmt: skip


def test_a_phase_that_is_not_told_is_left_out() -> None:
    assert phase_rows({"imports": 390.0, "total": None}) == [
        ["PHASE", "MS"],
        ["imports", "390"],
        ["total", "-"],
    ]


def test_of_several_the_slowest_is_named() -> None:
    starts: dict[str, ColdStart] = {
        "web-2": {"total": 900.0},
        "web-1": {"total": 1100.4},
        "web-3": {"total": None},
    }
    assert fleet_rows(starts) == [
        ["INSTANCE", "MS"], ["web-1", "1100"], ["web-2", "900"], ["web-3", "-"], ["slowest: web-1", "1100"],
    ]  # fmt: skip


def test_without_a_total_none_is_the_slowest() -> None:
    assert fleet_rows({"web-1": {"total": None}}) == [["INSTANCE", "MS"], ["web-1", "-"]]


def test_the_figures_are_found_in_what_an_instance_tells() -> None:
    assert cold_start_in(json.dumps({"state": "ready", "cold_start_ms": STARTED}).encode()) == STARTED


@pytest.mark.parametrize(
    "body", [b"", b"no", b"[]", b"{}", b'{"cold_start_ms": null}', b'{"cold_start_ms": {"imports": 1}}']
)
def test_an_instance_that_tells_nothing_of_its_start_is_an_error(body: bytes) -> None:
    with pytest.raises(StartError):
        cold_start_in(body)


def test_addresses_are_those_of_instances_that_listen() -> None:
    status = {
        "instances": [{"name": "web-1", "address": "127.0.0.1:1"}, {"name": "web-2", "address": None}],
        "services": [{"name": "redis", "address": "127.0.0.1:2"}],
    }
    assert addresses_in(json.dumps(status)) == {"web-1": "127.0.0.1:1"}


def test_the_folder_is_gone_afterwards_whatever_happens() -> None:
    folders: list[Path] = []

    def interrupted() -> None:
        with passing_folder() as data:
            data.mkdir()
            folders.append(data)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not folders[0].parent.exists()


def test_three_are_started_at_once_by_default() -> None:
    assert parse(["coldstart"])[1].web == 3
    with pytest.raises(UsageError):
        parse(["coldstart", "--web", "0"])


# --- for real --------------------------------------------------------------------------------------------------------


def _coldstart(folder: Path) -> "subprocess.Popen[str]":
    """In a session of its own, with its temporary folders under `folder`."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "deploy.fleet", "coldstart", "--web", "2"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder), "DRAIN_SECONDS": "3"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def _mentioning(folder: Path) -> list[str]:
    """Command lines and environments of running processes that name the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in text:
            found.append(process.name)
    return found


@pytest.fixture
def place():
    """Where PostgreSQL's account can go even when the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="spillway-cold-test-") as made:
        Path(made).chmod(0o711)
        yield Path(made)


@pytest.mark.e2e
def test_a_start_is_measured_and_nothing_is_left(place: Path) -> None:
    command = _coldstart(place)
    said, complained = command.communicate(timeout=300)
    assert command.returncode == 0, said + complained
    rows = dict(line.rsplit(None, 1) for line in said.splitlines() if line.strip() and line[-1].isdigit())
    assert set(rows) >= {"interpreter", "imports", "setup", "total", "web-1", "web-2"}
    assert float(rows["total"]) > float(rows["imports"]) > 0
    assert "slowest: web-" in said
    assert list(place.iterdir()) == []
    assert _mentioning(place) == []


@pytest.mark.e2e
def test_an_interrupt_leaves_nothing_behind(place: Path) -> None:
    command = _coldstart(place)
    assert command.stdout is not None
    command.stdout.readline()
    wait_until(lambda: list(place.glob("*/data/state.json")), 60)
    command.send_signal(signal.SIGINT)
    command.communicate(timeout=300)
    assert command.returncode == 130
    assert list(place.iterdir()) == []
    assert _mentioning(place) == []
