"""Rollouts on a fleet of processes: releases, what comes in between, and the agent. Under load: test_scenarios.py."""

import http.client
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.releases import code_of
from tests.e2e.clients import upload
from tests.e2e.fleet import Fleet, fleet_running, wait_until
from tests.e2e.load import Load

_LIMIT_SECONDS = 300.0


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Two instances of this module's own: they change their names in the course of it."""
    with fleet_running(web=2) as made:
        yield made


def releases(fleet: Fleet) -> list[str]:
    return [str(instance["release"]) for instance in fleet.instances()]


def pids(fleet: Fleet) -> set[int]:
    return {int(instance["pid"]) for instance in fleet.instances()}


def another(fleet: Fleet, name: str, change: Callable[[Path], None] = lambda code: None) -> str:
    """A release like the one that runs but for one change; returns its name."""
    data = DataFolder(fleet.data)
    shutil.copytree(code_of(data, releases(fleet)[0]), code_of(data, name), dirs_exist_ok=True)
    change(code_of(data, name))
    return name


def stylesheet(fleet: Fleet) -> str:
    found = re.search(r'/static/[^"]+\.css', requests.get(fleet.url, timeout=10).text)
    assert found
    return found[0]


def _another_stylesheet(code: Path) -> None:
    for file in (code / "static" / "build").glob("*.css"):
        file.write_text(file.read_text() + "\n/* of another release */\n")


def test_a_page_of_the_old_release_finds_its_files_after_the_rollout_and_the_new_ones(fleet: Fleet) -> None:
    before, old_style = releases(fleet)[0], stylesheet(fleet)
    name = another(fleet, "restyled", _another_stylesheet)
    done = fleet.run("rollout", name, "--canary", "50", "--for", "5", timeout=_LIMIT_SECONDS)
    told = done.stdout
    assert told.index("starts, release restyled as canary") < told.index("watching the canary for 5 s")
    assert told.index("watching the canary") < told.index("is told to stop")
    assert told.splitlines()[-1].startswith("restyled is rolled out in ")
    assert releases(fleet) == ["restyled"] * 2
    new_style = stylesheet(fleet)
    assert new_style != old_style
    assert {requests.get(fleet.url + style, timeout=10).status_code for style in (old_style, new_style)} == {
        200
    }
    victim = fleet.instances()[0]
    fleet.kill(victim["name"])
    wait_until(lambda: fleet.ready() and fleet.unit(victim["name"])["pid"] != victim["pid"], 60, "it is back")
    assert releases(fleet) == ["restyled"] * 2, "it was to start again as what it was"
    fleet.run("rollback", timeout=_LIMIT_SECONDS)
    assert releases(fleet) == [before] * 2
    assert stylesheet(fleet) == old_style


def _drop_a_column(code: Path) -> None:
    file = code / "apps" / "transfers" / "migrations" / "0099_drop_the_title.py"
    before = sorted(path.stem for path in file.parent.glob("0*.py"))[-1]
    file.write_text(
        "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
        f"    dependencies = [('transfers', '{before}')]\n"
        "    operations = [migrations.RemoveField('transfer', 'title')]\n"
    )


def test_migrations_that_the_old_release_could_not_live_with_are_refused(fleet: Fleet) -> None:
    were = pids(fleet)
    done = fleet.run(
        "rollout", another(fleet, "dropping", _drop_a_column), check=False, timeout=_LIMIT_SECONDS
    )
    assert done.returncode == 1
    assert "could not live with its migrations" in done.stderr
    assert re.search(r"refused: transfers\.0099_drop_the_title: .+", done.stdout)
    assert pids(fleet) == were
    assert not (fleet.data / "rollout.json").exists()


def _begin(fleet: Fleet, name: str) -> "subprocess.Popen[str]":
    """A rollout that is under way: an old instance has been told to stop."""
    process = fleet.popen("rollout", name)
    assert process.stdout is not None
    for line in process.stdout:
        if "is told to stop" in line:
            break
    assert process.poll() is None
    return process


def test_a_rollout_whose_tool_was_killed_is_gone_on_with_by_the_same_command(fleet: Fleet) -> None:
    before = releases(fleet)[0]
    name = another(fleet, "killed")
    with Load(fleet.port, ["/", "/livez"], clients=2, limit_seconds=_LIMIT_SECONDS) as load:
        process = _begin(fleet, name)
        second = fleet.run("rollout", name, check=False)
        assert second.returncode == 1
        assert f"`spillway rollout` (process {process.pid}) is changing this fleet" in second.stderr
        process.kill()
        process.communicate(timeout=30)
        fleet.run("rollout", name, timeout=_LIMIT_SECONDS)
        assert releases(fleet) == ["killed"] * 2
        fleet.run("rollback", timeout=_LIMIT_SECONDS)
    assert load.failed == {}
    assert releases(fleet) == [before] * 2


def test_after_ctrl_c_the_fleet_serves_and_can_be_rolled_back(fleet: Fleet) -> None:
    before = releases(fleet)[0]
    process = _begin(fleet, another(fleet, "interrupted"))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "The same command goes on" in said
    assert requests.get(fleet.url, timeout=10).status_code == 200
    refused = fleet.run("scale", "web=3", check=False)
    assert "unfinished" in refused.stderr
    fleet.run("rollback", timeout=_LIMIT_SECONDS)
    wait_until(fleet.ready, 60, "two instances are ready")
    assert releases(fleet) == [before] * 2


def test_a_dry_run_changes_nothing(fleet: Fleet) -> None:
    were = pids(fleet)
    done = fleet.run("rollout", another(fleet, "dry"), "--dry-run")
    assert done.stdout.count("then drain web-") == 2
    assert pids(fleet) == were


def test_a_release_that_nobody_knows_is_refused(fleet: Fleet) -> None:
    done = fleet.run("rollout", "no-such-release", check=False)
    assert done.returncode == 1
    assert "There is no release 'no-such-release'" in done.stderr


def test_a_flood_is_seen_and_answered_with_more_instances(fleet: Fleet) -> None:
    agent = fleet.popen("agent", "--min", "2", "--max", "4", "--target", "20")
    stop = threading.Event()
    senders = [threading.Thread(target=_slow_sender, args=(fleet, stop), daemon=True) for _ in range(20)]
    try:
        for sender in senders:
            sender.start()
        wait_until(
            lambda: [i["state"] for i in fleet.instances()] == ["ready"] * 4, 90, "four instances are ready"
        )
    finally:
        agent.send_signal(signal.SIGTERM)
        said, _ = agent.communicate(timeout=60)
        stop.set()
        for sender in senders:
            sender.join(60)
    assert agent.returncode == 0
    assert "web 2 -> 4" in said
    fleet.run("scale", "web=2")


def _slow_sender(fleet: Fleet, stop: threading.Event) -> None:
    """An upload that brings a little every half second: it holds a thread for as long."""
    location = upload(fleet.url, b"", name="slow.bin", length=1_000_000)[1].headers["Location"]
    connection = http.client.HTTPConnection("localhost", fleet.port, timeout=30)
    connection.putrequest("PATCH", location.removeprefix(fleet.url))
    for name, value in (
        ("Tus-Resumable", "1.0.0"), ("Upload-Offset", "0"), ("Content-Length", "1000000"),
        ("Content-Type", "application/offset+octet-stream"),
    ):  # fmt: skip
        connection.putheader(name, value)
    connection.endheaders()
    # One that finds no room on an instance is refused; the others hold on.
    with suppress(OSError):
        while not stop.wait(0.5):
            connection.send(b"x" * 100)
    connection.close()


def test_status_shows_instances_their_releases_and_what_the_proxy_thinks(fleet: Fleet) -> None:
    text = fleet.run("status").stdout
    assert re.search(r"NAME +RELEASE +STATE +UPTIME +IN FLIGHT +POOL +REQ/S +LAST CHECK +PROXY", text)
    assert len(re.findall(r"(?m)^web-\d+ .* ready .* yes$", text)) == 2
    assert "Waiting for a worker: " in text
