"""A real Prometheus beside a real fleet: it finds everybody by itself, and its alerts fire and clear."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.fleet import Fleet, free_port, wait_until

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="Debian's package prometheus is not installed"
)
ALERT = "SpillwayDatabaseUnreachable"


class Prometheus:
    """Started as the README says, with the file that the fleet wrote."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        argv = [
            "prometheus",
            f"--config.file={fleet.data / 'monitoring' / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
        ]
        with (folder / "prometheus.log").open("wb") as log:
            self.process = subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log)

    def ask(self, what: str) -> Any:
        """The data of one of its API's answers; None while it does not answer."""
        try:
            answer = requests.get(f"{self.url}/api/v1/{what}", timeout=10)
            return answer.json()["data"] if answer.ok else None
        except requests.RequestException:
            return None

    def up(self) -> set[str]:
        """Who answered when they were last asked."""
        told = self.ask("targets?state=active") or {"activeTargets": []}
        return {one["labels"]["instance"] for one in told["activeTargets"] if one["health"] == "up"}

    def firing(self) -> set[str]:
        """The alerts that somebody is told about now."""
        told = self.ask("alerts") or {"alerts": []}
        return {one["labels"]["alertname"] for one in told["alerts"] if one["state"] == "firing"}

    def named(self) -> dict[str, str]:
        """Name by address, as alerts call them."""
        told = self.ask("query?query=spillway:instance_name:info") or {"result": []}
        return {one["metric"]["instance"]: one["metric"]["name"] for one in told["result"]}

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()


@pytest.fixture
def prometheus(fleet: Fleet, tmp_path: Path) -> Iterator[Prometheus]:
    started = Prometheus(fleet, tmp_path)
    try:
        yield started
    finally:
        started.close()


def test_prometheus_finds_the_fleet_and_says_when_its_database_is_gone_and_when_it_is_back(
    fleet: Fleet, prometheus: Prometheus
) -> None:
    everybody = {"web-1", "web-2", "web-3", "worker-1"}
    wait_until(lambda: prometheus.up() >= everybody, 30, "everybody is found and answers", every_seconds=0.5)
    wait_until(lambda: len(prometheus.named()) >= 4, 30, "everybody has a name", every_seconds=0.5)
    assert {name: prometheus.named().get(name) for name in everybody} == {name: name for name in everybody}
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    wait_until(lambda: ALERT not in prometheus.firing(), 10, "nothing is wrong", every_seconds=0.5)
    assert len(rules) > 40
    fleet.run("stop", "postgres")
    try:
        wait_until(lambda: ALERT in prometheus.firing(), 45, "the alert fires", every_seconds=0.5)
        # The instances themselves go on saying how they are: that is how anybody knows.
        assert prometheus.up() >= everybody
    finally:
        fleet.run("start", "postgres")
    wait_until(lambda: ALERT not in prometheus.firing(), 30, "the alert clears", every_seconds=0.5)
    told = prometheus.ask("rules")["groups"]
    assert [rule["lastError"] for group in told for rule in group["rules"] if rule.get("lastError")] == []
