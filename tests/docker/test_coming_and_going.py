"""Containers that come and go: all instances, the proxy, the gate to Docker, a worker. See also test_scenarios.py."""

import http.client
import threading
import time
from collections.abc import Iterator

import requests

from tests.docker.project import Project
from tests.e2e.clients import upload, wait_ready
from tests.e2e.fleet import wait_until
from tests.e2e.load import Load

PAGE = {"Accept": "text/html"}


def asset_and_download(project: Project) -> list[str]:
    url, _ = upload(project.url, b"hello", name="a.txt")
    return ["/", "/livez", wait_ready(url)[0]["url"].removeprefix(project.url), "/accounts/login/"]


def test_without_any_instance_people_get_a_page_that_tries_again(project: Project) -> None:
    unfinished = upload(project.url, b"", name="a", length=5)[1].headers["Location"]
    project.compose("stop", "web")
    try:
        wait_until(lambda: project.known_to_proxy() == {}, 30, "the proxy knows", every_seconds=0.2)
        page = requests.get(project.url, headers=PAGE, timeout=30)
        assert page.status_code == 503
        assert "Back in a moment" in page.text
        assert page.headers["Retry-After"] == "5"
        assert page.headers["Cache-Control"] == "no-store"
        assert requests.get(f"{project.url}/t/x", timeout=30).status_code == 503
        assert requests.get(f"{project.url}/d/x/y", timeout=30).status_code == 503
        assert requests.post(f"{project.url}/files/", timeout=30).status_code == 503
        assert requests.get(f"{project.url}/statusz", timeout=30).status_code == 404
        # Any 5xx here would make the common JavaScript client start over.
        head = requests.head(unfinished, headers={"Tus-Resumable": "1.0.0"}, timeout=30)
        assert (head.status_code, head.headers["Retry-After"]) == (423, "1")
    finally:
        project.compose("start", "web")
    project.wait_routed(3)
    assert requests.head(unfinished, headers={"Tus-Resumable": "1.0.0"}, timeout=30).status_code == 200


def test_instances_that_are_all_unready_are_503_and_their_return_is_noticed(project: Project) -> None:
    """The containers run on: the proxy's service is empty rather than gone."""
    redis = project.container("redis")
    project.run(["docker", "pause", redis.id])
    try:
        wait_until(lambda: project.known_to_proxy() == {}, 60, "no instance is left", every_seconds=0.2)
        page = requests.get(project.url, headers=PAGE, timeout=30)
        assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
        assert len(project.containers("web")) == 3
    finally:
        project.run(["docker", "unpause", redis.id])
    project.wait_routed(3)
    assert requests.get(project.url, headers=PAGE, timeout=30).status_code == 200


def test_a_proxy_that_stops_lets_what_is_under_way_end(project: Project) -> None:
    location = upload(project.url, b"", name="slow.bin", length=8_000)[1].headers["Location"]
    may_end, statuses = threading.Event(), []

    def body() -> Iterator[bytes]:
        yield b"x" * 4_000
        may_end.wait(60)
        yield b"x" * 4_000

    def send() -> None:
        headers = {
            "Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Length": "8000",
            "Content-Type": "application/offset+octet-stream",
        }  # fmt: skip
        connection = http.client.HTTPConnection("localhost", project.port, timeout=60)
        connection.request("PATCH", location.removeprefix(project.url), body(), headers)
        statuses.append(connection.getresponse().status)
        connection.close()

    sender = threading.Thread(target=send)
    sender.start()
    wait_until(lambda: _in_flight(project) > 0, 30, "the first half is there", every_seconds=0.2)
    proxy = project.container("traefik")
    stopping = threading.Thread(target=project.run, args=(["docker", "stop", proxy.id],))
    stopping.start()
    wait_until(lambda: _refuses(project.url), 30, "the proxy takes nothing new")
    may_end.set()
    sender.join(60)
    stopping.join(60)
    project.run(["docker", "start", proxy.id])
    assert statuses == [204]
    project.wait_routed(3)


def _in_flight(project: Project) -> int:
    """Requests that instances are busy with; asking an upload itself would make its holder let go."""
    reports = [f"http://{c.address()}:8000/statusz" for c in project.containers("web")]
    return sum(requests.get(url, timeout=30).json()["requests"]["in_flight"] for url in reports)


def _refuses(url: str) -> bool:
    try:
        requests.get(url, timeout=5)
    except requests.RequestException:
        return True
    return False


def test_the_gate_to_docker_may_be_away_for_a_while(project: Project) -> None:
    """The proxy keeps what it knows, and follows again once it can ask."""
    paths = asset_and_download(project)
    with Load(project.port, paths, clients=4, limit_seconds=200) as load:
        project.compose("stop", "docker-api")
        time.sleep(3)
        project.compose("start", "docker-api")
        wait_until(lambda: project.container("docker-api").health == "healthy", 60, "it is healthy")
    assert load.failed == {}
    assert load.served > 50
    victim = project.containers("web")[0]
    project.run(["docker", "restart", victim.id])
    project.wait_routed(3)


def test_a_worker_that_is_killed_comes_back_and_finishes_what_waits(project: Project) -> None:
    worker = project.container("worker")
    project.kill(worker)
    url, _ = upload(project.url, b"hello", name="a.txt")
    wait_until(lambda: project.container("worker").pid not in {0, worker.pid}, 60, "it is started again")
    assert wait_ready(url, seconds=120)[0]["state"] == "ready"
    wait_until(lambda: project.container("worker").health == "healthy", 120, "it is healthy")
