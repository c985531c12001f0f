"""Owns /metrics of a process that serves no HTTP: a Celery worker. Its children count into files, its master answers.

Whoever reaches the port may read: it belongs on a network of the site's own, or on loopback.
"""

import os
import sys
import tempfile
from pathlib import Path
from wsgiref.simple_server import WSGIServer

import structlog
from celery.signals import celeryd_after_setup, worker_process_init
from django.conf import settings

from apps.lifecycle import hooks

logger = structlog.get_logger(__name__)
_server: WSGIServer | None = None


def prepare() -> None:
    """Where children count. Before anything imports prometheus-client; only in what is going to be a worker.

    `celery inspect` and the like load the same application in the same place: they must not empty a worker's folder.
    """
    if os.environ.get("ROLE") != "worker" or "worker" not in sys.argv[1:]:
        return
    _sum_up_the_dead(
        hooks.prepare_run_dir(os.environ.get("RUN_DIR") or tempfile.mkdtemp(prefix="spillway-run-"))
    )
    celeryd_after_setup.connect(_serve, dispatch_uid="spillway.exporter")
    worker_process_init.connect(_let_go, dispatch_uid="spillway.exporter")


def _sum_up_the_dead(folder: str) -> None:
    """Celery tells nobody that a child has ended, but it forks another in its place: then, in the master."""
    from apps.lifecycle import departed

    master = os.getpid()

    def forked() -> None:
        if os.getpid() == master:
            departed.fold(Path(folder))

    os.register_at_fork(after_in_parent=forked)


def _serve(**_: object) -> None:
    """Before the children are forked and before the broker is there: a worker that finds none can be asked too."""
    global _server
    if not settings.METRICS_BIND:
        return
    from prometheus_client import start_http_server

    from apps.lifecycle.figures import ReleaseCollector
    from apps.lifecycle.metrics import registry

    host, port = settings.METRICS_BIND.rsplit(":", 1)
    try:
        _server = start_http_server(int(port), host.strip("[]"), registry(ReleaseCollector()))[0]
    except OSError as error:
        # Work goes on without being watched; Prometheus says that nobody answers.
        logger.error("metrics_not_served", bind=settings.METRICS_BIND, detail=error.strerror)


def _let_go(**_: object) -> None:
    """In a child: the port is the master's."""
    if _server is not None:
        _server.socket.close()
