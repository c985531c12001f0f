"""Owns what is measured beside the fleet: instances without fsync, the Node peer, nginx taking a PUT, and nginx writing
chunks that a small server of ours adopts.

All of them get their requests through the fleet's own Traefik, with the same middlewares and settings.
"""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.fleet.checkout import ROOT
from deploy.fleet.platforms.embedded import nginx
from deploy.fleet.platforms.embedded.platform import EmbeddedPlatform
from deploy.fleet.probes import http_get
from deploy.fleet.processes import Child, Command, spawn
from tests.bench.client import Target
from tests.bench.fleet import ENVIRONMENT, Fleet, StartFailedError, answers

PEER_SOURCES = Path(__file__).parent / "peer"
_START_LIMIT_SECONDS = 30.0
_LOOK_SECONDS = 0.005


@dataclass(frozen=True)
class Started:
    """A process that answers, and how long it took until it did."""

    child: Child
    address: str
    seconds: float

    def stop(self) -> None:
        self.child.stop(signal.SIGINT, 10.0)


def _start(command: Command, address: str, path: str, status: int) -> Started:
    began = time.monotonic()
    child = spawn(command)
    while not answers(address, path, status):
        if child.exited() is not None or time.monotonic() - began > _START_LIMIT_SECONDS:
            child.kill()
            raise StartFailedError(f"{command.argv[0]} did not start, see {command.log}")
        time.sleep(_LOOK_SECONDS)
    return Started(child, address, time.monotonic() - began)


def start_instance(fleet: Fleet, name: str, port: int, *, fsync: bool, **settings: str) -> Started:
    """A web instance of the fleet's own kind, on its database and store, that the fleet does not know of."""
    address = f"127.0.0.1:{port}"
    run_dir = fleet.data / "run" / name
    run_dir.mkdir(exist_ok=True)
    env = EmbeddedPlatform(fleet.data).environment() | {
        "ROLE": "web", "INSTANCE": name, "BIND": address, "RUN_DIR": str(run_dir), "FSYNC": str(fsync).lower(),
        **ENVIRONMENT,
        **settings,
    }  # fmt: skip
    argv = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "project.wsgi:application"]
    return _start(Command(argv, env, ROOT, fleet.data / "logs" / f"{name}.log"), address, "/readyz", 200)


def cold_start_phases(address: str) -> str:
    """Out of /statusz, in milliseconds."""
    phases = json.loads(http_get(address, "/statusz")[1])["cold_start_ms"]
    return ", ".join(f"{name} {figure:.0f}" for name, figure in phases.items() if name != "total")


def install_peer(folder: Path) -> None:
    """The Node server's packages, as pinned, into `folder`. Raises StartFailedError."""
    path = _path_with_node()
    npm = shutil.which("npm", path=path)
    if npm is None:
        raise StartFailedError("there is no npm")
    shutil.copytree(PEER_SOURCES, folder)
    done = subprocess.run(
        [npm, "ci", "--omit=optional", "--no-audit", "--no-fund"],
        cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise StartFailedError(f"npm ci failed: {done.stderr.strip().splitlines()[-1:]}")


def start_peer(folder: Path, files: Path, port: int) -> Started:
    """`@tus/server` with `@tus/file-store`, which never calls fsync."""
    path = _path_with_node()
    node = shutil.which("node", path=path) or "node"
    argv = [node, "server.mjs", str(files), str(port)]
    command = Command(
        argv, {**os.environ, "PATH": path, "NODE_ENV": "production"}, folder, folder / "node.log"
    )
    return _start(command, f"127.0.0.1:{port}", "/peer/files", 404)


def _path_with_node() -> str:
    # Where the machine has no node, `spillway up` has put one beside our Python.
    return os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])


_NGINX = """
user {user};
worker_processes {processes};
pid "{folder}/nginx.pid";
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_buffer_size 1m;
    client_body_temp_path "{folder}/temporary";
    proxy_temp_path "{folder}/temporary"; fastcgi_temp_path "{folder}/temporary";
    uwsgi_temp_path "{folder}/temporary"; scgi_temp_path "{folder}/temporary";
    keepalive_timeout 75s;
    upstream adopter {{
        server {adopter};
        keepalive 64;
    }}
    server {{
        listen {address};
        location = /limit/up {{ return 200; }}
        location = /limit/stored {{ return 201; }}
        # The body goes into a file; only then is the other location asked, without it.
        location = /limit/one {{
            client_body_in_file_only clean;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_method GET;
            proxy_pass http://{address}/limit/stored;
        }}
        # The upload counterpart of X-Accel-Redirect: a chunk goes into a file, whose name only this nginx can tell.
        location /adopted/ {{
            client_body_in_file_only on;
            client_body_temp_path "{folder}/staging";
            proxy_pass_request_body off;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
            proxy_set_header X-Body-File $request_body_file;
            proxy_set_header X-Body-Length $content_length;
            proxy_pass http://adopter;
        }}
    }}
}}
"""


def start_limit(folder: Path, port: int, *, adopter: str = "127.0.0.1:1") -> Started:
    """An nginx that only writes what a PUT brings into a file, answers, and removes the file; what comes to /adopted/
    it keeps in a file for the adopter at this address.
    """
    address = f"127.0.0.1:{port}"
    (folder / "temporary").mkdir(parents=True)
    user = pwd.getpwuid(os.geteuid()).pw_name
    text = _NGINX.format(
        folder=folder, address=address, processes=os.cpu_count() or 1, user=user, adopter=adopter
    )
    (folder / "nginx.conf").write_text(text)
    argv = [str(nginx.binary()), "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"]
    return _start(Command(argv, dict(os.environ), folder, folder / "nginx.log"), address, "/limit/up", 200)


def start_adopter(folder: Path, port: int) -> Started:
    """Our small server on the folder into which that nginx writes; it has as many threads as an instance."""
    address, files = f"127.0.0.1:{port}", folder / "adopted"
    files.mkdir(parents=True)
    argv = [
        sys.executable, "-m", "gunicorn", "--bind", address, "--threads", "16", "--keep-alive", "75",
        "--no-control-socket", "tests.bench.adopter:application",
    ]  # fmt: skip
    env = {**os.environ, "ADOPTED_ROOT": str(files)}
    return _start(Command(argv, env, ROOT, folder / "adopter.log"), address, "/", 404)


UNSYNCED_HEADER = {"X-Bench": "no-fsync"}


def routes(unsynced: Sequence[str], peer: str | None, limit: str) -> dict[str, Any]:
    """Routers for all of them on the public entry point, with the middlewares that uploads go through."""
    found = {
        "unsynced": _router("unsynced", "Header(`X-Bench`, `no-fsync`)"),
        "limit": _router("limit", "PathPrefix(`/limit/`) || PathPrefix(`/adopted/`)"),
    }
    services = {"bench-unsynced": _service(unsynced), "bench-limit": _service([limit])}
    if peer is not None:
        found["peer"] = _router("peer", "PathPrefix(`/peer/`)")
        services["bench-peer"] = _service([peer])
    return {"http": {"routers": found, "services": services}}


def _router(service: str, rule: str) -> dict[str, Any]:
    return {
        "entryPoints": ["web"], "rule": rule, "priority": 1000, "service": f"bench-{service}",
        "middlewares": ["no-blob-headers", "retry"],
    }  # fmt: skip


def _service(addresses: Sequence[str]) -> Mapping[str, Any]:
    servers = [{"url": f"http://{address}"} for address in addresses]
    return {"loadBalancer": {"serversTransport": "web", "servers": servers}}


def targets(fleet: Fleet, limit: str) -> dict[str, Target]:
    """The contenders by name; `limit` is nginx's own address."""
    return {
        "spillway": Target("spillway", fleet.address, "/files/"),
        "unsynced": Target("unsynced", fleet.address, "/files/", UNSYNCED_HEADER),
        "peer": Target("peer", fleet.address, "/peer/files"),
        "limit": Target("limit", fleet.address, "/limit/one"),
        "direct": Target("direct", limit, "/limit/one"),
        "adopted": Target("adopted", fleet.address, "/adopted/files"),
    }
