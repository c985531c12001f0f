"""Owns what the tests of a real instance stand on: servers of their own to stop and start, and gunicorn processes."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.checkout import ROOT
from deploy.fleet.configuration import UpOptions
from deploy.fleet.platforms.embedded import credentials, postgres, redis
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.network_ports import PortBook
from deploy.fleet.platforms.embedded.service import Context, Service
from deploy.fleet.processes import Child, spawn

# Long enough to look around in, shorter than a real one.
DRAIN_SECONDS = 1.5


def wait_until(question: Callable[[], Any], seconds: float, what: str) -> float:
    """Ask until the answer is true; how long that took. Fails after `seconds`."""
    began = time.monotonic()
    while not question():
        assert time.monotonic() - began < seconds, f"after {seconds} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - began


class Server:
    """A PostgreSQL or Redis of the tests' own."""

    def __init__(self, blueprint: Callable[[], Service]) -> None:
        self.service = blueprint()
        self.child: Child | None = None

    def start(self) -> None:
        self.child = spawn(self.service.command)
        wait_until(
            lambda: self.service.ready().state is InstanceState.READY, 60, f"{self.service.name} is up"
        )

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(self.service.stop_signal, 30)
        self.child = None

    def freeze(self) -> None:
        """Keep its connections open and answer nothing, as a host that has lost its network does."""
        for pid in self._family():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self._family():
            os.kill(pid, signal.SIGCONT)

    def _family(self) -> list[int]:
        assert self.child is not None
        found = subprocess.run(
            ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        pairs = [(int(pid), int(parent)) for pid, parent in (line.split() for line in found)]
        return [self.child.pid, *(pid for pid, parent in pairs if parent == self.child.pid)]


class Stage:
    """The servers that instances need, migrated once."""

    def __init__(self, folder: Path) -> None:
        self.folder = DataFolder(folder)
        self.folder.prepare()
        self.context = Context(
            folder=self.folder,
            credentials=credentials.load_or_create(self.folder),
            ports=PortBook(self.folder.ports),
            options=UpOptions(data=folder),
            release="test",
            durable=False,
        )
        postgres.prepare(self.context)
        self.postgres = Server(lambda: postgres.service(self.context))
        self.redis = Server(lambda: redis.service(self.context))

    def open(self) -> None:
        self.postgres.start()
        self.redis.start()
        arguments = ["migrate", "--verbosity", "0"]
        subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.environment(), check=True
        )

    def close(self) -> None:
        self.postgres.stop()
        self.redis.stop()

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
        return kept | {
            "DJANGO_SETTINGS_MODULE": "apps.lifecycle.tests.site_settings",
            "SECRET_KEY": self.context.credentials.secret_key,
            "DOWNLOAD_KEY": self.context.credentials.download_key,
            "DATABASE_URL": postgres.url(self.context),
            "REDIS_URL": redis.url(self.context),
            "STORE_ROOT": str(self.folder.store),
            "STATIC_ROOT": str(self.folder.static),
            "RELEASE": "r1",
        }


class Instance:
    """A gunicorn process with the real configuration."""

    def __init__(self, stage: Stage, name: str, **variables: object) -> None:
        self.port = _free_port()
        self.log = stage.folder.log(name)
        run_dir = stage.folder.run(name)
        env = stage.environment() | {
            "BIND": f"127.0.0.1:{self.port}",
            "INSTANCE": name,
            "RUN_DIR": str(run_dir),
            "DRAIN_SECONDS": str(DRAIN_SECONDS),
            "GRACEFUL_SECONDS": "8",
            **{key: str(value) for key, value in variables.items()},
        }
        argv = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "project.wsgi:application"]
        self.began = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True
            )

    def get(self, path: str, *, timeout_seconds: float = 10.0) -> tuple[int, dict[str, Any]]:
        """One request on a connection of its own; (0, {}) when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_seconds)
        try:
            connection.request("GET", path, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        except OSError:
            return 0, {}
        finally:
            connection.close()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(text) if is_json else {"text": text.decode()}

    def is_ready(self) -> bool:
        return self.get("/readyz", timeout_seconds=1)[0] == 200

    def wait_ready(self, seconds: float = 15) -> float:
        return wait_until(self.is_ready, seconds, f"ready; {self.log.read_text()[-3000:]}")

    def wait_unready(self, seconds: float) -> float:
        return wait_until(
            lambda: self.get("/readyz", timeout_seconds=1)[0] == 503, seconds, "readyz says 503"
        )

    def checks(self) -> dict[str, str]:
        found: dict[str, str] = self.get("/readyz")[1]["checks"]
        return found

    def send(self, signal_number: int) -> None:
        self.process.send_signal(signal_number)

    def wait_exit(self, seconds: float) -> int:
        return self.process.wait(seconds)

    def close(self) -> None:
        """End it whatever state it is in."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(5)


class Clients:
    """Requests made at the same time, each from a thread."""

    def __init__(self, instance: Instance, count: int) -> None:
        self._instance = instance
        self._pool = ThreadPoolExecutor(count)

    def ask(self, path: str, times: int = 1) -> list[Future[tuple[int, dict[str, Any]]]]:
        return [self._pool.submit(self._instance.get, path, timeout_seconds=30) for _ in range(times)]

    def close(self) -> None:
        self._pool.shutdown(wait=True)


class Load:
    """Requests without a pause from a few threads, on kept-alive connections or on one each, until stopped."""

    def __init__(
        self, instance: Instance, path: str, *, threads: int = 4, keep_alive: bool, body: bytes | None = None
    ) -> None:
        self._body = body
        self.statuses: list[int] = []
        self._instance, self._path, self._keep_alive = instance, path, keep_alive
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._ended.is_set():
            connection = connection or http.client.HTTPConnection(
                "127.0.0.1", self._instance.port, timeout=10
            )
            connection, status = self._ask(connection)
            self.statuses.append(status)
        if connection is not None:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> tuple[http.client.HTTPConnection | None, int]:
        try:
            connection.request("POST" if self._body else "GET", self._path, self._body)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return None, 0
        if self._keep_alive and not answer.will_close:
            return connection, answer.status
        connection.close()
        return None, answer.status

    def stop(self) -> list[int]:
        self._ended.set()
        for thread in self._threads:
            thread.join(15)
        return self.statuses


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
