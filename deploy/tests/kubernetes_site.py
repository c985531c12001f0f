"""Owns the stage for tests of deploy/kubernetes: real Traefik and nginx before a telling instance, as in a cluster."""

import json
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path

import yaml

from deploy.fleet.platforms.embedded import nginx
from deploy.tests.conftest import Reply, TellingInstance, ask, free_port, wait_until
from deploy.tests.kubernetes_api import Cluster
from deploy.tests.kubernetes_objects import FOLDER, Object, Overlay

HOST = "send.example.org"
VALUES = yaml.safe_load((FOLDER / "traefik-values.yaml").read_text())
INTERNAL = "127.0.0.1:8081"


@contextmanager
def process(argv: list[str], log: Path, stop: int = signal.SIGTERM) -> Iterator[None]:
    with log.open("wb") as lines, subprocess.Popen(argv, stdout=lines, stderr=subprocess.STDOUT) as running:
        try:
            yield
        finally:
            running.send_signal(stop)
            try:
                running.wait(20)
            except subprocess.TimeoutExpired:
                running.kill()


@dataclass
class Site:
    """Traefik before a telling instance and the file server, as in a cluster."""

    cluster: Cluster
    instance: TellingInstance
    public: int
    api: str
    files: str

    def get(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> Reply:
        context = ssl._create_unverified_context()
        connection = HTTPSConnection("127.0.0.1", self.public, timeout=10, context=context)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in {"Host": HOST, **(headers or {})}.items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def send_to(self, *addresses: str) -> None:
        """Which instances are ready: what the cluster knows of the Service's endpoints."""
        self.cluster.put(endpoints("spillway-web", *addresses))
        wait_until(lambda: self._known() == {f"http://{address}" for address in addresses})

    def _known(self) -> set[str]:
        balancers = [one.get("loadBalancer", {}) for one in self.told("services")]
        urls = {server["url"] for one in balancers for server in one.get("servers") or ()}
        return urls - {f"http://{self.files}"}

    def told(self, what: str) -> list[Object]:
        """Everything of one kind that Traefik has of the cluster."""
        return [one for one in told_by(self.api, what) if one["name"].endswith("@kubernetescrd")]


def endpoints(service: str, *addresses: str) -> Object:
    """As the cluster writes down who is ready; all that it has of one Service have the same port there."""
    ports = {int(address.rsplit(":", 1)[1]) for address in addresses} or {1}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-1",
            "namespace": "spillway",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": ports.pop(), "protocol": "TCP"}],
        "endpoints": [
            {"addresses": [address.rsplit(":", 1)[0]], "conditions": {"ready": True, "serving": True}}
            for address in addresses
        ],
    }


def objects(internal: str, *components: str) -> list[Object]:
    """Of the overlay: what Traefik reads. Without a certificate of ours it takes one that it makes."""
    text = yaml.safe_dump_all(
        [one for one in Overlay.read("production", *components).objects if one["kind"] in _READ]
    ).replace(INTERNAL, internal)
    found = list(yaml.safe_load_all(text))
    for one in found:
        one.get("spec", {}).pop("tls", None) is None or one["spec"].update(tls={})
    return found


_READ = {"IngressRoute", "Middleware", "ServersTransport", "Service"}


def arguments(api: str, internal: str, public: int, cluster: str) -> list[str]:
    """What traefik-values.yaml says, and what Traefik's Helm chart says of itself."""
    ours = [argument.replace(INTERNAL, internal) for argument in VALUES["additionalArguments"]]
    provider = VALUES["providers"]["kubernetesCRD"]
    defaults = [name for name, port in VALUES["ports"].items() if port["asDefault"]]
    return [
        *ours,
        *(f"--entryPoints.{name}.asDefault=true" for name in defaults),
        "--entryPoints.web.address=127.0.0.1:0",
        f"--providers.kubernetescrd.allowEmptyServices={str(provider['allowEmptyServices']).lower()}",
        f"--providers.kubernetescrd.endpoint={cluster}",
        "--providers.kubernetescrd.token=nobody-asks-for-it",
        f"--entryPoints.websecure.address=127.0.0.1:{public}",
        "--entryPoints.websecure.http.tls=true",
        f"--entryPoints.traefik.address={api}",
        "--api.insecure=true",
        "--ping=true",
    ]


def file_server(folder: Path, port: int, web: str) -> list[str]:
    """components/traefik/files.conf, with this machine's addresses and folders."""
    (folder / "pages").mkdir()
    (folder / "pages" / "back_in_a_moment.html").write_text("back in a moment")
    (folder / "tmp").mkdir()
    folder.chmod(0o755)
    (folder / "tmp").chmod(0o777)
    text = (FOLDER / "components" / "traefik" / "files.conf").read_text()
    for old, new in {
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "http://spillway-web:8000": f"http://{web}",
        # First of the folders: ours may lie in /tmp, too.
        "/tmp/": f"{folder}/tmp/",
        " /pages/": f" {folder}/pages/",
        "include /etc/nginx/mime.types;": "types { text/css css; text/html html; }",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text)
    return [
        str(nginx.binary()),
        "-p",
        f"{folder}/",
        "-c",
        f"{folder}/nginx.conf",
        "-e",
        "stderr",
        "-g",
        "daemon off;",
    ]


@contextmanager
def site_running(*components: str, **trusted: str) -> Iterator[Site]:
    """The site, with these components named besides production's own; `trusted`: whom entry points believe."""
    folder = Path(tempfile.mkdtemp(prefix="spillway-kubernetes-"))
    instance = TellingInstance()
    public, api, internal, files = (free_port() for _ in range(4))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(instance.server.shutdown)
        cluster = Cluster(
            [
                *objects(f"127.0.0.1:{internal}", *components),
                endpoints("spillway-web", instance.address),
                endpoints("spillway-files", f"127.0.0.1:{files}"),
            ]
        )
        stack.callback(cluster.close)
        traefik = Path(sys.executable).parent / "traefik"
        told = arguments(f"127.0.0.1:{api}", f"127.0.0.1:{internal}", public, cluster.address)
        told += [f"--entryPoints.{name}.forwardedHeaders.trustedIPs={ips}" for name, ips in trusted.items()]
        stack.enter_context(process([str(traefik), *told], folder / "traefik.log", signal.SIGKILL))
        stack.enter_context(
            process(file_server(folder, files, instance.address), folder / "nginx.log", signal.SIGQUIT)
        )
        made = Site(cluster, instance, public, f"127.0.0.1:{api}", f"127.0.0.1:{files}")
        wait_until(lambda: _answers(made.api, "/ping"), 30)
        wait_until(lambda: _answers(made.files, "/file-server-is-up"), 30)
        wait_until(lambda: len(made.told("routers")) >= 9, 30)
        yield made


def told_by(address: str, what: str) -> list[Object]:
    """What a Traefik's own API says: all routers, services or middlewares."""
    return list(json.loads(ask(address, f"/api/http/{what}?per_page=200").body))


def _answers(address: str, path: str) -> bool:
    try:
        return ask(address, path).status == 200
    except OSError:
        return False
