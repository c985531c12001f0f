"""Instances that come and go, and what they need that comes and goes."""

import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import requests

from tests.e2e.clients import upload, wait_ready
from tests.e2e.fleet import Fleet, wait_until
from tests.e2e.load import Load


def readiness(fleet: Fleet, addresses: list[str]) -> list[tuple[int, dict[str, Any]]]:
    return [fleet.probe(address, "/readyz") for address in addresses]


def pids(fleet: Fleet) -> dict[str, int]:
    return {i["name"]: i["pid"] for i in fleet.instances()}


def _post(fleet: Fleet, secret: str, statuses: list[int], done: threading.Event) -> None:
    """Whole small uploads, one after the other: requests that a proxy must not repeat."""
    while not done.wait(0.05) and len(statuses) < 900:
        statuses.append(upload(fleet.url, b"x" * 10_000, name="a.bin", transfer=secret)[1].status_code)


def _replaced(fleet: Fleet, name: str, pid: int) -> bool:
    return fleet.unit(name)["pid"] not in {pid, None}


def test_restarting_each_instance_under_load_fails_no_request(fleet: Fleet) -> None:
    before = pids(fleet)
    url, _ = upload(fleet.url, b"hello", name="a.txt")
    file = wait_ready(url)[0]["url"].removeprefix(fleet.url)
    _, first = upload(fleet.url, b"x", name="first.txt")
    posted: list[int] = []
    done = threading.Event()
    poster = threading.Thread(target=_post, args=(fleet, first.headers["Transfer-Secret"], posted, done))
    with Load(fleet.port, ["/", "/livez", file, "/accounts/login/"]) as load:
        poster.start()
        began = time.monotonic()
        for name in before:
            pid = fleet.signal(name, signal.SIGTERM)
            wait_until(partial(_replaced, fleet, name, pid), 30, f"{name} started again")
            wait_until(fleet.ready, 20, "all instances ready")
        time.sleep(max(0, 20 - (time.monotonic() - began)))
        done.set()
        poster.join(30)
    assert set(posted) == {201}
    assert len(posted) > 50
    assert load.failed == {}
    assert load.served > 500
    assert not set(before.values()) & set(pids(fleet).values())


class Liveness:
    """Asks every instance whether it is alive, ten times a second, for as long as the block takes."""

    def __init__(self, fleet: Fleet, addresses: list[str]) -> None:
        self.answers: list[int] = []
        self._fleet, self._addresses = fleet, addresses
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> "Liveness":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _ask(self) -> None:
        while not self._stop.wait(0.1):
            self.answers += [self._fleet.probe(address, "/livez")[0] for address in self._addresses]


@pytest.mark.parametrize(("service", "check"), [("postgres", "database"), ("redis", "redis")])
def test_what_all_need_goes_away_and_comes_back(fleet: Fleet, service: str, check: str) -> None:
    before, addresses = pids(fleet), [i["address"] for i in fleet.instances()]
    unfinished = upload(fleet.url, b"", name="a", length=5)[1].headers["Location"]
    with Liveness(fleet, addresses) as liveness:
        fleet.run("stop", service)
        try:
            wait_until(lambda: fleet.unit(service)["state"] == "stopped", 15, f"{service} has stopped")
            wait_until(partial(_all_unready, fleet, addresses, check), 5, f"503 everywhere without {service}")
            wait_until(lambda: requests.get(fleet.url, timeout=10).status_code == 503, 3, "the proxy knows")
            # Any 5xx here would make the common JavaScript client start over.
            assert (
                requests.head(unfinished, headers={"Tus-Resumable": "1.0.0"}, timeout=10).status_code == 423
            )
        finally:
            fleet.run("start", service)
        wait_until(lambda: fleet.unit(service)["state"] == "ready", 15, f"{service} is back")
        wait_until(
            lambda: {status for status, _ in readiness(fleet, addresses)} == {200}, 5, "all ready again"
        )
    assert set(liveness.answers) == {200}
    assert len(liveness.answers) > 50
    assert pids(fleet) == before
    wait_until(lambda: requests.get(fleet.url, timeout=10).status_code == 200, 5, "the site answers")


def _all_unready(fleet: Fleet, addresses: list[str], check: str) -> bool:
    return all(
        status == 503 and body["checks"][check] != "ok" for status, body in readiness(fleet, addresses)
    )


def test_an_instance_that_dies_is_started_again_within_two_seconds(fleet: Fleet) -> None:
    pid = fleet.kill("web-3")
    wait_until(lambda: fleet.unit("web-3")["pid"] not in {pid, None}, 2, "web-3 started again")


def test_an_instance_that_hangs_is_killed_and_started_again(fleet: Fleet) -> None:
    unit = fleet.unit("web-3")
    fleet.stop_all_processes(int(unit["pid"]))
    wait_until(lambda: fleet.unit("web-3")["pid"] not in {unit["pid"], None}, 15, "web-3 replaced")


def test_a_throttle_counts_across_instances(fleet: Fleet) -> None:
    limit = 60  # THROTTLE_TRANSFER_CREATE
    fleet.redis().flushdb()
    with ThreadPoolExecutor(16) as pool:
        responses = list(pool.map(lambda n: upload(fleet.url, b"", name="a", length=0)[1], range(limit + 30)))
    statuses = [r.status_code for r in responses]
    assert statuses.count(201) == limit
    assert statuses.count(429) == 30
    refused = next(r for r in responses if r.status_code == 429)
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert len({r.headers["X-Instance"] for r in responses}) == 3
    fleet.redis().flushdb()


def test_a_spoofed_address_changes_nothing_for_a_throttle(fleet: Fleet) -> None:
    fleet.redis().flushdb()
    for n in range(60):
        assert upload(fleet.url, b"", name="a", length=0)[1].status_code == 201, n
    spoofed = requests.post(
        f"{fleet.url}/files/",
        headers={
            "Tus-Resumable": "1.0.0",
            "Upload-Length": "0",
            "Upload-Metadata": "filename YQ==",
            "X-Forwarded-For": "203.0.113.7",
            "X-Real-Ip": "203.0.113.7",
            "X_Forwarded_For": "203.0.113.7",
            "Forwarded": "for=203.0.113.7",
        },
        timeout=10,
    )
    fleet.redis().flushdb()
    assert spoofed.status_code == 429


@pytest.mark.parametrize("path", ["/statusz", "/metrics", "/internal/download"])
def test_what_is_for_operators_is_not_public(fleet: Fleet, path: str) -> None:
    assert requests.get(fleet.url + path, timeout=10).status_code == 404
    if path != "/internal/download":
        assert requests.get(f"http://{fleet.instances()[0]['address']}{path}", timeout=10).status_code == 200


def test_assets_of_an_older_release_are_still_served(fleet: Fleet) -> None:
    page = requests.get(fleet.url, timeout=10).text
    asset = re.search(r'(/static/[^"]+\.css)"', page)
    assert asset
    old = fleet.data / "static" / "build" / "app.0123456789ab.css"
    old.write_text("/* of an older release */")
    fleet.run("manage", "prepare")
    assert requests.get(f"{fleet.url}/static/build/app.0123456789ab.css", timeout=10).status_code == 200
    current = requests.get(fleet.url + asset[1], timeout=10)
    assert current.status_code == 200
    assert "immutable" in current.headers["Cache-Control"]


def test_status_names_every_instance_and_service(fleet: Fleet) -> None:
    status = fleet.status()
    assert [set(i) for i in status["instances"]] == [{"name", "pid", "address", "release", "state"}] * 3
    assert {s["name"] for s in status["services"]} >= {
        "postgres",
        "redis",
        "nginx",
        "traefik",
        "worker-1",
        "beat",
    }


def test_statusz_tells_an_operator_everything(fleet: Fleet) -> None:
    _, body = fleet.probe(fleet.instances()[0]["address"], "/statusz")
    assert {
        "instance",
        "release",
        "state",
        "uptime_seconds",
        "cold_start_ms",
        "requests",
        "threads",
        "pool",
        "checks",
    } <= set(body)
