"""A real Celery worker, its metrics and its log lines: own PostgreSQL and Redis, two children."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from celery import Celery

from apps.lifecycle.tests.stage import Stage, wait_until
from deploy.fleet.checkout import ROOT

ASKED_BY = "0123456789abcdef"
Worker = Callable[..., "RunningWorker"]


class RunningWorker:
    """A worker as the fleet starts it."""

    def __init__(self, stage: Stage, **variables: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.log = stage.folder.log("worker-1")
        self.run_dir: Path = stage.folder.run("worker-1")
        env = stage.environment() | {
            "ROLE": "worker",
            "INSTANCE": "worker-1",
            "RUN_DIR": str(self.run_dir),
            "METRICS_BIND": f"127.0.0.1:{self.port}",
            "DJANGO_SETTINGS_MODULE": "project.settings",
            **variables,
        }
        self._celery = [sys.executable, "-m", "celery", "-A", "project"]
        self._env = env
        argv = [
            sys.executable,
            "-m",
            "celery",
            "-q",
            "-A",
            "project",
            "worker",
            "--concurrency",
            "2",
            "--without-gossip",
            "--without-mingle",
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                argv, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True
            )
        self.app = Celery(broker=f"{env['REDIS_URL']}/1", set_as_current=False)

    def metrics(self) -> str:
        with (
            suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer,
        ):
            return str(answer.read().decode())
        return ""

    def counted(self, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.metrics(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def has_counted(self, sessions: int) -> bool:
        return self.counted(SESSIONS) == sessions

    def files(self) -> list[Path]:
        """What its processes have counted into, the sum of the dead's left out."""
        return [path for path in (self.run_dir / "metrics").glob("histogram_*.db") if "gone" not in path.name]

    def ask(self, *arguments: str) -> str:
        """Another command of Celery's in the same place, as an operator runs it."""
        done = subprocess.run(
            [*self._celery, *arguments],
            cwd=ROOT,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + done.stderr

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(5)


@pytest.fixture
def worker(stage: Stage) -> Iterator[RunningWorker]:
    running = RunningWorker(stage)
    try:
        wait_until(running.metrics, 30, f"the worker says its metrics; {running.log}")
        yield running
    finally:
        running.close()


SESSIONS = 'spillway_task_seconds_count{outcome="success",task="accounts.clear_sessions"}'


def test_a_worker_says_what_its_children_did_and_logs_under_the_requests_id(worker: RunningWorker) -> None:
    assert 'spillway_release_info{name="worker-1",release="r1",role="worker"} 1.0' in worker.metrics()
    for _ in range(4):
        worker.app.send_task("accounts.clear_sessions", headers={"request_id": ASKED_BY})
    wait_until(lambda: worker.counted(SESSIONS) == 4, 30, f"four tasks are counted; {worker.log}")
    wait_until(
        lambda: len([line for line in worker.lines() if line["event"] == "task"]) == 4, 10, "four lines"
    )
    tasks = [line for line in worker.lines() if line["event"] == "task"]
    assert {(line["request_id"], line["task"], line["instance"], line["release"]) for line in tasks} == {
        (ASKED_BY, "accounts.clear_sessions", "worker-1", "r1")
    }
    # Looking at a worker takes nothing from it: this loads the same application in the same folder.
    assert "pong" in worker.ask("inspect", "ping", "--timeout", "5")
    assert worker.counted(SESSIONS) == 4


def test_every_line_of_a_worker_is_json_from_the_first_one_on(worker: RunningWorker) -> None:
    wait_until(lambda: any("ready" in str(line["event"]) for line in worker.lines()), 30, "it is ready")
    assert all({"event", "level", "time", "instance"} <= set(line) for line in worker.lines())


def test_what_killed_children_had_counted_is_kept_in_few_files(worker: RunningWorker) -> None:
    for killed in range(1, 4):
        worker.app.send_task("accounts.clear_sessions")
        wait_until(partial(worker.has_counted, killed), 30, f"it is counted; {worker.log}")
        [busy] = [path for path in worker.files() if b"clear_sessions" in path.read_bytes()]
        os.kill(int(busy.stem.removeprefix("histogram_")), signal.SIGKILL)
        wait_until(partial(_is_gone, busy), 30, f"another took its place; {worker.log}")
        assert worker.has_counted(killed)
    assert len(worker.files()) <= 3, "the master's and two children's, beside the sum"


def _is_gone(path: Path) -> bool:
    return not path.exists()
