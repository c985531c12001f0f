"""A whole fleet of two instances, by the command line: what is promised about starting, watching and stopping."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.fleet.checkout import ROOT
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.lock import holder_of, lock_is_held
from deploy.fleet.processes import start_time
from deploy.fleet.storage import read_json, write_json
from deploy.tests.conftest import ask, free_port, wait_until

pytestmark = pytest.mark.e2e
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")
COUNT_USERS = "from apps.accounts.models import User; print(User.objects.count())"


class Fleet:
    """`./spillway` on one data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self.public = f"127.0.0.1:{self.port}"

    def command(self, *arguments: str) -> list[str]:
        tool = [sys.executable, "-P", "-m", "deploy.fleet"]
        return [*tool, arguments[0], "--data", str(self.data), *arguments[1:]]

    def environment(self, **extra: str) -> dict[str, str]:
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return passed_on | {"PYTHONPATH": str(ROOT), "DRAIN_SECONDS": "3"} | extra

    def run(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), env=self.environment(**extra), cwd="/", capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    def up(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return self.run("up", "--detach", "--web", "2", "--port", str(self.port), *arguments, **extra)

    def units(self) -> dict[str, dict[str, Any]]:
        told = json.loads(self.run("status", "--json").stdout)
        return {unit["name"]: unit for unit in told["instances"] + told["services"]}

    def pid(self, name: str) -> int:
        return int(self.units()[name]["pid"])

    def supervisor(self) -> int:
        return int(read_json(self.data / "state.json")["supervisor"]["pid"])

    def all_ready(self) -> bool:
        units = self.units()
        return bool(units) and all(unit["state"] == "ready" for unit in units.values())

    def processes(self) -> list[int]:
        """Every process whose command line or environment names the data folder."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:
                continue
            if os.fsencode(self.data) in text and int(folder.name) != os.getpid():
                found.append(int(folder.name))
        return [pid for pid in found if start_time(pid) is not None]


def _new_fleet() -> Iterator[Fleet]:
    made = Path(tempfile.mkdtemp(prefix="spillway-fleet-"))
    made.chmod(0o711)
    fleet = Fleet(made / "data")
    try:
        yield fleet
    finally:
        fleet.run("down")
        shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def running() -> Iterator[Fleet]:
    for fleet in _new_fleet():
        done = fleet.up()
        assert done.returncode == 0, done.stdout + done.stderr
        yield fleet


@pytest.fixture
def fleet(running: Fleet) -> Fleet:
    wait_until(running.all_ready, 30)
    return running


@pytest.fixture
def other() -> Iterator[Fleet]:
    """A fleet that has not been started."""
    yield from _new_fleet()


# --- what runs ---------------------------------------------------------------------------------------------------


def test_once_up_returns_the_site_answers(fleet: Fleet) -> None:
    assert ask(fleet.public, "/").status == 200


def test_every_part_of_the_fleet_is_shown(fleet: Fleet) -> None:
    units = fleet.units()
    assert set(units) == {"postgres", "redis", "nginx", "traefik", "web-1", "web-2", "worker-1", "beat"}
    assert units["traefik"]["address"] == fleet.public
    assert units["web-1"]["release"] == units["web-2"]["release"]


def test_an_instance_names_itself_as_status_does(fleet: Fleet) -> None:
    unit = fleet.units()["web-2"]
    told = ask(unit["address"], "/readyz").json()
    assert (told["instance"], told["release"]) == ("web-2", unit["release"])


def test_up_on_a_running_fleet_says_where_it_is(fleet: Fleet) -> None:
    done = fleet.up()
    assert done.returncode == 0
    assert f"already running at http://localhost:{fleet.port}" in done.stdout


def test_secrets_are_readable_by_the_operator_alone(fleet: Fleet) -> None:
    for name in ("secrets.json", "admin-password", "state.json", "nginx/files.conf", "redis/redis.conf"):
        assert stat.S_IMODE((fleet.data / name).stat().st_mode) == 0o600


def test_operators_pages_are_on_the_instance_only(fleet: Fleet) -> None:
    assert ask(fleet.units()["web-1"]["address"], "/statusz").status == 200
    assert ask(fleet.public, "/statusz").status == 404


def test_logs_can_be_read_by_name(fleet: Fleet) -> None:
    assert "ready to accept connections" in fleet.run("logs", "postgres").stdout
    assert fleet.run("logs", "nobody").returncode == 1


def test_management_commands_reach_the_fleets_database(fleet: Fleet) -> None:
    done = fleet.run("manage", "shell", "-v", "0", "-c", COUNT_USERS)
    assert int(done.stdout.split()[-1]) >= 1, done.stderr


# --- what dies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["web-1", "worker-1", "beat", "nginx", "traefik", "redis", "postgres"])
def test_whatever_is_killed_runs_again_within_two_seconds(fleet: Fleet, name: str) -> None:
    before = fleet.pid(name)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: fleet.units()[name]["pid"] not in {None, before}, 2)


def test_a_unit_that_dies_again_and_again_is_back_in_two_seconds_each_time(fleet: Fleet) -> None:
    for _ in range(6):
        before = fleet.pid("web-1")
        os.kill(before, signal.SIGKILL)
        wait_until(lambda before=before: fleet.units()["web-1"]["pid"] not in {None, before}, 2)
        wait_until(lambda: fleet.units()["web-1"]["state"] == "ready", 10)


def test_an_instance_that_hangs_is_killed_and_started_again(fleet: Fleet) -> None:
    before = fleet.pid("web-2")
    workers = psutil.Process(before).children()
    assert workers
    for worker in workers:
        worker.suspend()
    wait_until(lambda: fleet.units()["web-2"]["pid"] not in {None, before}, 12)
    assert "/livez failed 3 times in a row" in fleet.run("logs", "supervisor").stdout


def test_an_instance_that_is_told_to_stop_is_replaced_and_no_request_fails(fleet: Fleet) -> None:
    before = fleet.pid("web-1")
    os.kill(before, signal.SIGTERM)
    statuses = set()
    until = time.monotonic() + 30
    while fleet.units()["web-1"]["pid"] in {None, before} and time.monotonic() < until:
        statuses |= {ask(fleet.public, "/livez").status for _ in range(20)}
    wait_until(fleet.all_ready, 15)
    assert statuses == {200}


def test_a_unit_can_be_held_back_and_let_run_again(fleet: Fleet) -> None:
    fleet.run("stop", "redis")
    wait_until(lambda: fleet.units()["redis"]["state"] == "stopped", 10)
    wait_until(lambda: ask(fleet.public, "/").status == 503, 10)
    assert {fleet.units()[name]["state"] for name in ("web-1", "web-2")} == {"unready"}
    fleet.run("start", "redis")
    wait_until(lambda: fleet.all_ready() and ask(fleet.public, "/").status == 200, 10)


def test_a_unit_that_is_not_there_cannot_be_stopped(fleet: Fleet) -> None:
    done = fleet.run("stop", "web-9")
    assert done.returncode == 1
    assert "There are: postgres" in done.stderr


def test_the_size_changes_both_ways_and_is_the_size_of_the_next_start(fleet: Fleet) -> None:
    assert fleet.run("scale", "web=3", "--platform", "embedded").returncode == 0
    assert "web-3" in fleet.units()
    assert fleet.all_ready()
    fleet.run("down")
    assert fleet.run("up", "--detach", "--port", str(fleet.port)).returncode == 0
    assert "web-3" in fleet.units()
    assert fleet.run("scale", "web=2", "--platform", "embedded").returncode == 0
    assert "web-3" not in fleet.units()


# --- starting and stopping ---------------------------------------------------------------------------------------


def test_up_after_a_killed_supervisor_leaves_one_fleet(fleet: Fleet) -> None:
    old = {unit["pid"] for unit in fleet.units().values()}
    os.kill(fleet.supervisor(), signal.SIGKILL)
    wait_until(lambda: "unsupervised" in fleet.run("status").stdout, 5)
    assert ask(fleet.public, "/").status == 200
    assert fleet.up().returncode == 0
    assert not {unit["pid"] for unit in fleet.units().values()} & old
    assert all(start_time(pid) is None for pid in old)


def test_down_after_a_killed_supervisor_ends_everything_and_data_stays(fleet: Fleet) -> None:
    os.kill(fleet.supervisor(), signal.SIGKILL)
    assert "Stopped" in fleet.run("down").stdout
    assert fleet.processes() == []
    assert "Nothing is running" in fleet.run("down").stdout
    assert int(fleet.run("manage", "shell", "-v", "0", "-c", COUNT_USERS).stdout.split()[-1]) >= 1
    assert fleet.processes() == []
    again = fleet.up()
    assert again.returncode == 0, again.stderr
    assert "password: in " in again.stdout


def test_a_stale_state_with_anothers_number_harms_nobody(other: Fleet) -> None:
    bystander = subprocess.Popen(["/bin/sleep", "60"])
    other.data.mkdir(mode=0o711)
    write_json(other.data / "state.json", {
        "phase": "ready", "supervisor": {"pid": bystander.pid, "started": 1.0},
        "units": [{"name": "web-1", "kind": "web", "pid": bystander.pid, "started": 1.0, "state": "ready"}],
    })  # fmt: skip
    assert "Nothing is running" in other.run("down").stdout
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_taken_port_is_one_clear_line_and_nothing_is_left(other: Fleet) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", other.port))
        squatter.listen()
        done = other.up()
    assert done.returncode == 1
    assert "--port" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not other.data.exists()


def test_a_start_that_fails_says_why_and_leaves_nothing_running(other: Fleet) -> None:
    done = other.up(SEND_POLICY="nobody-at-all")
    assert done.returncode == 1
    assert "SEND_POLICY" in done.stderr
    assert other.processes() == []
    assert "The last start failed" in other.run("status").stdout


def test_ctrl_c_stops_a_fleet_in_the_foreground(other: Fleet) -> None:
    process = subprocess.Popen(
        other.command("up", "--web", "1", "--port", str(other.port)), env=other.environment(), cwd="/",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    while "Ctrl-C stops it" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    assert "password: " in said
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert other.processes() == []


def test_ctrl_c_while_starting_leaves_nothing_running(other: Fleet) -> None:
    process = subprocess.Popen(
        other.command("up", "--detach", "--port", str(other.port)), env=other.environment(), cwd="/",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    wait_until(lambda: other.processes() and (other.data / "state.json").exists(), 20)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    wait_until(lambda: other.processes() == [], 10)


def test_down_reaches_a_fleet_that_has_only_just_begun_to_start(other: Fleet) -> None:
    starting = subprocess.Popen(
        other.command("up", "--detach", "--web", "2", "--port", str(other.port)),
        env=other.environment(), cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_until(lambda: lock_is_held(DataFolder(other.data)), 20)
    assert other.run("down").returncode == 0
    starting.wait(60)
    assert other.processes() == []


def test_two_at_once_start_one_fleet(other: Fleet) -> None:
    both = [
        subprocess.Popen(
            other.command("up", "--detach", "--web", "1", "--port", str(other.port)),
            env=other.environment(), cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("already" in text for text in said) == 1, said
    assert other.all_ready()
    assert ask(other.public, "/").status == 200


def test_a_fleet_whose_reader_goes_away_stops_and_leaves_nothing(other: Fleet) -> None:
    process = subprocess.Popen(
        other.command("up", "--web", "1", "--port", str(other.port)), env=other.environment(), cwd="/",
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.wait(60)
    assert other.processes() == []


def test_manage_that_is_told_to_stop_while_its_database_starts_leaves_nothing(other: Fleet) -> None:
    for _ in range(3):
        process = subprocess.Popen(
            other.command("manage", "check"), env=other.environment(), cwd="/",
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(lambda process=process: set(other.processes()) - {process.pid}, 20)
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
        assert other.processes() == []


def test_whoever_comes_while_manage_works_is_told_who_it_is(other: Fleet) -> None:
    process = subprocess.Popen(
        other.command("manage", "shell", "-c", "import time; time.sleep(60)"), env=other.environment(), cwd="/",
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_until(lambda: other.data.exists() and holder_of(DataFolder(other.data)) is not None, 20)
    for told in (other.up(), other.run("down"), other.run("manage", "check")):
        assert told.returncode == 1
        assert f"`spillway manage` (process {process.pid})" in told.stderr
    process.terminate()
    process.wait(60)
    assert other.processes() == []


def test_a_percent_sign_in_the_path_is_no_format(other: Fleet) -> None:
    other.data = other.data.with_name("100%n")
    done = other.up()
    assert done.returncode == 0, done.stderr
    assert (other.data / "run" / "worker-1" / "pid").exists()


def test_what_the_operators_shell_says_about_secrets_does_not_beat_ours(other: Fleet) -> None:
    names = ("SECRET_KEY", "DATABASE_URL", "DOWNLOAD_KEY", "REDIS_URL")
    done = other.run("manage", "check", **{f"{name}_FILE": "/nonexistent" for name in names})
    assert done.returncode == 0, done.stderr


def test_behind_a_tls_proxy_the_site_answers_to_its_public_name(other: Fleet) -> None:
    done = other.up(PUBLIC_URL="https://send.example.org", TRUSTED_PROXIES="2")
    assert done.returncode == 0, done.stderr
    for host in ("send.example.org", "localhost"):
        reply = ask(other.public, "/", {"Host": host, "X-Forwarded-Proto": "https"})
        assert reply.status == 200, reply
    assert ask(other.public, "/d/nothing/file", {"Host": "send.example.org"}).status == 404
