"""The site in containers: pages, files in and out, and what must not be reached."""

import http.client
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.docker.project import Container, Project
from tests.e2e.clients import download, random_file, sha256_of, upload, wait_ready
from tests.e2e.fleet import wait_until

PAGE = {"Accept": "text/html"}


def ask(address: str, method: str, target: str) -> tuple[int, bytes]:
    """One request whose target is sent as it is, not tidied up; of an endless answer only the status."""
    host, port = address.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    try:
        connection.putrequest(method, target, skip_host=True)
        connection.putheader("Host", "docker")
        connection.endheaders()
        response = connection.getresponse()
        return response.status, b"" if "events" in target else response.read()
    finally:
        connection.close()


def test_every_instance_answers_through_the_proxy(project: Project) -> None:
    expected = {c.instance for c in project.containers("web")}
    seen: set[str] = set()

    def all_seen() -> bool:
        reply = requests.get(f"{project.url}/readyz", timeout=30)
        assert reply.status_code == 200
        seen.add(reply.json()["instance"])
        return seen == expected

    wait_until(all_seen, 30, "an answer of each instance")
    assert len(expected) == 3


def test_a_page_and_its_assets_are_served(project: Project) -> None:
    page = requests.get(project.url, headers=PAGE, timeout=30)
    assert page.status_code == 200
    asset = page.text.partition('href="/static/')[2].partition('"')[0]
    reply = requests.get(f"{project.url}/static/{asset}", timeout=30)
    assert reply.status_code == 200
    assert "immutable" in reply.headers["Cache-Control"]


def test_a_file_comes_out_as_it_went_in(project: Project, tmp_path) -> None:
    path = tmp_path / "a.bin"
    sha256 = random_file(path, 30 * 2**20)
    url, response = upload(project.url, path.read_bytes())
    assert response.status_code == 201
    file = wait_ready(url)[0]
    assert file["sha256"] == sha256
    assert sha256_of(download(file)) == sha256
    part = download(file, Range="bytes=1000-1999")
    assert (part.status_code, part.content) == (206, path.read_bytes()[1000:2000])


@pytest.mark.parametrize(
    "path", ["/statusz", "/metrics", "/internal/download", "/api/http/services", "/ping"]
)
def test_what_is_for_operators_is_not_public(project: Project, path: str) -> None:
    for host in ("localhost", f"web-{project.name}", "internal"):
        reply = requests.get(project.url + path, headers={"Host": host}, timeout=30)
        assert reply.status_code in {400, 404}, host


def test_an_operator_on_this_machine_can_ask_an_instance(project: Project) -> None:
    container = project.containers("web")[0]
    report = requests.get(f"http://{container.address()}:8000/statusz", timeout=30).json()
    assert (report["instance"], report["release"]) == (container.instance, project.release)


@pytest.mark.parametrize(("address", "role"), [("web:8000", "web"), ("worker:9000", "worker")])
def test_whoever_is_inside_can_ask_instances_and_workers_for_their_metrics(
    project: Project, address: str, role: str
) -> None:
    """As Prometheus does, in the profile `monitoring`: by the name that Docker gives a service."""
    code = (
        f"import urllib.request as r; print(r.urlopen('http://{address}/metrics', timeout=9).read().decode())"
    )
    told = project.inside("web", "python", "-c", code)
    assert f'release="{project.release}",role="{role}"' in told


def test_the_monitoring_profile_can_write_its_data_and_nothing_else(project: Project) -> None:
    """What Compose makes of the profile. That Prometheus and Grafana start so is not tested: their images come from a
    registry, and these tests do without one. Rules and scraping are tried with Debian's Prometheus, in tests/e2e; of
    the dashboard its questions, by promtool.
    """
    told = project.compose("--profile", "monitoring", "config", "--format", "json").stdout
    services = json.loads(told)["services"]
    data = {"prometheus": "/prometheus", "grafana": "/var/lib/grafana"}
    users = {"prometheus": "65534:65534", "grafana": "472:0"}
    for name, place in data.items():
        one = services[name]
        assert (one["read_only"], one["cap_drop"], one["user"]) == (True, ["ALL"], users[name])
        assert one["security_opt"] == ["no-new-privileges:true"]
        mounts = {each["target"]: each for each in one["volumes"]}
        assert mounts.pop(place)["type"] == "volume"
        assert mounts
        for target, mount in mounts.items():
            assert (mount["type"], mount["read_only"]) == ("bind", True), target
            assert Path(mount["source"]).exists(), target
    assert set(services["prometheus"]["networks"]) == {"back", "monitoring"}
    assert (
        services["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == project.values["GRAFANA_PASSWORD"]
    )
    for port in services["grafana"]["ports"]:
        assert port["host_ip"] == "127.0.0.1"
    # Without the profile neither is there.
    plain = json.loads(project.compose("config", "--format", "json").stdout)["services"]
    assert not data.keys() & plain.keys()


def test_the_proxy_tells_this_machine_what_it_sends_to(project: Project) -> None:
    expected = {f"http://{c.address()}:8000": "UP" for c in project.containers("web")}
    assert project.known_to_proxy() == expected
    status = f"http://{project.container('traefik').address()}:8082"
    assert requests.get(f"{status}/ping", timeout=30).status_code == 200
    assert requests.get(status, timeout=30).status_code == 404
    assert requests.put(f"{status}/api/http/services", timeout=30).status_code in {404, 405}


def test_a_client_cannot_say_where_a_blob_lies(project: Project) -> None:
    url, _ = upload(project.url, b"secret bytes")
    file = wait_ready(url)[0]
    forged = {
        "X-Blob-Key": "ab/cd/0123", "X-Blob-Type": "text/html", "X-Blob-Disposition": "inline",
        "X-Blob-Expires": "9999999999", "X-Blob-Signature": "x", "X_Blob_Type": "text/html",
    }  # fmt: skip
    reply = download(file, **forged)
    assert (reply.status_code, reply.content) == (200, b"secret bytes")
    assert reply.headers["Content-Type"] != "text/html"
    assert requests.get(f"{project.url}/d/x/y", headers=forged, timeout=30).status_code == 404


def test_a_client_cannot_choose_its_own_address(project: Project) -> None:
    """Sign-ins are counted by address: whoever invents a new one each time is counted all the same."""
    page = f"{project.url}/accounts/login/"
    project.forget_counts()
    statuses = []
    for n in range(5):
        browser = requests.Session()
        token = browser.get(page, timeout=30).cookies["csrftoken"]
        forged = dict.fromkeys(("X-Forwarded-For", "X_Forwarded_For", "X-Real-Ip"), f"203.0.113.{n}")
        form = {"login": f"nobody{n}", "password": "wrong", "csrfmiddlewaretoken": token}
        statuses.append(browser.post(page, form, headers=forged, timeout=60).status_code)
    project.forget_counts()
    assert statuses == [200, 200, 200, 200, 429]


@pytest.fixture
def stranger(project: Project) -> Iterator[str]:
    """A container of somebody else on the same engine; its id."""
    argv = ["docker", "run", "-d", "--rm", "--network", "none", "--entrypoint", "sleep", "nginx:1.28", "600"]
    made = project.run(argv).stdout.strip()
    yield made
    subprocess.run(["docker", "rm", "-f", made], capture_output=True, timeout=60, check=False)


def gate(project: Project) -> tuple[str, Container]:
    container = project.container("docker-api")
    return f"{container.address('api')}:2375", container


@pytest.mark.parametrize("version", ["", "/v1.41"])
def test_the_gate_to_docker_answers_what_the_proxy_needs(project: Project, version: str) -> None:
    address, container = gate(project)
    targets = [
        "/_ping",
        "/version",
        "/events?since=0",
        "/containers/json",
        f"/containers/{container.id}/json",
    ]
    assert [ask(address, "GET", version + target)[0] for target in targets] == [200] * 5


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/containers/create"), ("POST", "/containers/{id}/stop"), ("DELETE", "/containers/{id}"),
        ("HEAD", "/_ping"), ("POST", "/_ping"), ("GET", "/info"), ("GET", "/images/json"), ("GET", "/volumes"),
        ("GET", "/containers/{id}/logs?stdout=1"), ("GET", "/containers/{id}/archive?path=/etc"),
        ("GET", "/containers/{name}/json"), ("GET", "/containers/{short}/json"), ("GET", "/secrets"),
        ("GET", "/containers/json/../../images/json"), ("GET", "/images/json/../../containers/json"),
        ("GET", "/%63ontainers/json"), ("GET", "//version"), ("GET", "/v1.41/v1.41/version"), ("GET", "/version/"),
        ("GET", "/v1x41/version"), ("GET", "http://docker/images/json"), ("GET", "/"),
    ],
)  # fmt: skip
def test_the_gate_to_docker_answers_nothing_else(project: Project, method: str, target: str) -> None:
    address, container = gate(project)
    filled = target.format(id=container.id, name=container.name, short=container.id[:12])
    assert ask(address, method, filled)[0] == 403


@pytest.mark.parametrize(
    "asked", ["", "?all=1", "?filters=%7B%7D", "?filters=%7B%22label%22%3A%5B%22x%22%5D%7D&all=1"]
)
def test_the_gate_to_docker_lists_this_project_alone(project: Project, stranger: str, asked: str) -> None:
    address, container = gate(project)
    listed = {one["Id"] for one in json.loads(ask(address, "GET", f"/containers/json{asked}")[1])}
    assert container.id in listed
    assert listed == {c.id for c in project.containers()}
    assert stranger not in listed


@pytest.mark.parametrize("service", ["web", "worker", "beat", "files"])
def test_the_gate_to_docker_is_the_proxys_alone(project: Project, service: str) -> None:
    networks = project.container(service) if service != "web" else project.containers("web")[0]
    assert networks.address("api") == ""
    assert project.container("traefik").address("api") != ""


def test_networks_without_a_way_out_have_none(project: Project) -> None:
    for name, internal in {"back": True, "api": True, "front": False, "out": False}.items():
        (told,) = json.loads(project.run(["docker", "network", "inspect", f"{project.name}_{name}"]).stdout)
        assert told["Internal"] is internal, name


def test_only_the_proxy_is_published_and_only_to_this_machine(project: Project) -> None:
    published = {c.name: c.published for c in project.containers()}
    assert {name: ips for name, ips in published.items() if ips} == {
        f"{project.name}-traefik-1": ["127.0.0.1"]
    }
