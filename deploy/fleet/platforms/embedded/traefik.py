"""Owns how Traefik is configured, started and stopped from its wheel, and which instances it may send to."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.lifecycle.vocabulary import READY_PATH
from deploy.fleet.configuration import STORE_S3
from deploy.fleet.platforms.embedded import forwarding, nginx, seaweedfs
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.service import Context, Service, loopback, plain_environment, when_true
from deploy.fleet.probes import http_answers
from deploy.fleet.processes import Command
from deploy.fleet.storage import write_atomically
from deploy.fleet.templates import render, template

NAME = "traefik"
API_PATH = "/api/http/services/web@file"
# How long requests in flight may go on once everything stops.
STOP_SECONDS = 5


def servers(urls: Sequence[str]) -> dict[str, Any]:
    """The dynamic configuration of the service `web`. No server at all makes the proxy answer 503."""
    balancer = {
        "serversTransport": "web",
        # An instance that says no says so at once. One that is merely slow, on a machine with too much to do, must not
        # be taken for one that is gone: with all of them slow, nobody would be left.
        "healthCheck": {"path": READY_PATH, "interval": "1s", "timeout": "5s"},
        "servers": [{"url": url} for url in urls],
    }
    return {"http": {"services": {"web": {"loadBalancer": balancer}}}}


def write_servers(folder: DataFolder, urls: Sequence[str]) -> None:
    """Tell Traefik in one step. JSON is YAML, and Traefik watches this folder for .yml files."""
    text = json.dumps(servers(sorted(urls)), indent=1)
    write_atomically(_dynamic(folder) / "servers.yml", text)


def _dynamic(folder: DataFolder) -> Path:
    return folder.root / NAME / "dynamic"


def write_configuration(context: Context, folder: Path, internal: str) -> Path:
    options = context.options
    host = f"[{options.host}]" if ":" in options.host else options.host
    static = render(template("traefik/traefik.yml.template"), {
        "WEB_ADDRESS": f"{host}:{options.port}",
        "INTERNAL_ADDRESS": internal,
        "DYNAMIC_FOLDER": str(_dynamic(context.folder)),
        "STOP_SECONDS": STOP_SECONDS,
        "TRUSTED_NETWORKS": ",".join(forwarding.trusted_networks()),
    })  # fmt: skip
    write_atomically(_dynamic(context.folder) / "routes.yml", template("traefik/routes.yml"))
    write_atomically(folder / "traefik.yml", static)
    return folder / "traefik.yml"


def _routes_environment(context: Context, internal: str) -> dict[str, str]:
    """What Traefik itself fills into routes.yml."""
    objects = seaweedfs.routes(context) if context.options.store == STORE_S3 else {}
    return objects | {
        "WEB_SERVICE": "web@file",
        "FILES_ADDRESS": nginx.address(context),
        "INTERNAL_ADDRESS": internal,
        "API_ENTRY_POINT": "internal",
        "TRUSTED_NETWORKS": ",".join(forwarding.trusted_networks()),
    }


def service(context: Context) -> Service:
    folder = context.folder.root / NAME
    internal = loopback(context.ports.claim_once(NAME))
    file = write_configuration(context, folder, internal)
    binary = Path(sys.executable).parent / "traefik"
    return Service(
        name=NAME,
        kind="service",
        command=Command(
            [str(binary), f"--configFile={file}"],
            plain_environment(context) | _routes_environment(context, internal),
            folder,
            context.folder.log(NAME),
        ),
        ready=when_true(lambda: http_answers(internal, "/ping")),
        address=f"{context.options.host}:{context.options.port}",
        stop_limit_seconds=STOP_SECONDS + 3.0,
    )
