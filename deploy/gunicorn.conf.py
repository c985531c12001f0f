"""Owns how a web instance is served: values come from the environment, hooks from apps.lifecycle."""

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["ROLE"] = "web"

from apps.lifecycle import hooks, logs

workers = int(os.environ.get("WEB_WORKERS", "1"))
threads = int(os.environ.get("WEB_THREADS", "16"))
run_dir = os.environ.setdefault("RUN_DIR", "") or tempfile.mkdtemp(prefix="spillway-run-")
hooks.prepare_run_dir(run_dir)
hooks.configuration_loaded(workers=workers)

bind = os.environ.get("BIND", "127.0.0.1:8001")
wsgi_app = "project.wsgi:application"
worker_class = "apps.lifecycle.worker.LaneWorker"
# Once, before the fork: a worker that dies is back in a fraction of a second, and memory is shared.
preload_app = True
# A worker that has taken as many as this takes no more, probes neither: then all that is wrong with a crowded
# instance is that nobody hears from it. One that waits for a thread costs a file descriptor.
worker_connections = 10_000
backlog = 4096
# The proxy must be the one that closes an idle connection, or it sends a request into one being closed.
keepalive = int(os.environ.get("KEEPALIVE_SECONDS", "75"))
graceful_timeout = int(os.environ.get("GRACEFUL_SECONDS", "30"))
timeout = 30
# The heartbeat file of each worker must lie in memory: a disk that stalls would look like a worker that does.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else run_dir  # noqa: S108
# The default is one socket for all instances of a user.
control_socket_disable = True

forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")
# No header may set SCRIPT_NAME or PATH_INFO: the proxy does not, so it would be a client's.
forwarder_headers = ""
header_map = "drop"
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
# An upload's metadata holds a file's name, which may be long; beyond that it is not a name.
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 49_152

accesslog = None
errorlog = "-"
loglevel = os.environ.get("LOG_LEVEL", "INFO").lower()
logconfig_dict = logs.gunicorn_logging(loglevel.upper())
proc_name = f"spillway {os.environ.get('INSTANCE', 'local')}"

on_starting = hooks.on_starting
when_ready = hooks.when_ready
pre_fork = hooks.pre_fork
post_fork = hooks.post_fork
post_worker_init = hooks.post_worker_init
pre_request = hooks.pre_request
worker_exit = hooks.worker_exit
child_exit = hooks.child_exit

_imports_began = time.monotonic()
import django.contrib.admin  # noqa: E402, F401
import psycopg_pool  # noqa: E402, F401
import redis.asyncio  # noqa: E402, F401

hooks.imports_done(_imports_began)
