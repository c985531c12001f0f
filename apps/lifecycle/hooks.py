"""Owns what happens at the turning points of gunicorn's life; deploy/gunicorn.conf.py only names them.

Runs before Django is set up as well as after: what needs Django is imported where it is used.
"""

import gc
import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apps.lifecycle import coldstart, drain, scoreboard
from apps.lifecycle.shutdown import DrainOnSignal
from apps.lifecycle.vocabulary import StartPhase


def configuration_loaded(*, workers: int) -> None:
    """First of all: make the scoreboard, so that even the imports are timed. Called by gunicorn.conf.py.

    On SIGHUP gunicorn reads its configuration again: the scoreboard that living workers write to stays.
    """
    if scoreboard.current() is not None:
        return
    now = time.monotonic()
    age = coldstart.process_age_seconds()
    board = scoreboard.Scoreboard(workers=workers, began_at=now - (age or 0.0))
    board.put_start(StartPhase.INTERPRETER, (age or 0.0) * 1000)
    scoreboard.install(board)
    # Hardly anything made while importing is garbage; looking for it costs a tenth of the start.
    gc.disable()


def imports_done(began: float) -> None:
    """The big libraries are in memory; `began` is when their imports did. The rest is Django's setup."""
    if "setup_began" in _marks:
        return  # read again on SIGHUP
    now = time.monotonic()
    _board().put_start(StartPhase.IMPORTS, (now - began) * 1000)
    _marks["setup_began"] = now


def on_starting(server: Any) -> None:
    """The application is loaded (preload) and nothing is forked yet: do once what each worker would do."""
    from apps.lifecycle import warmup

    warmup.prepare_master()
    _board().put_start(StartPhase.SETUP, (time.monotonic() - _marks["setup_began"]) * 1000)


def when_ready(server: Any) -> None:
    """The sockets listen, the workers come next: from here on a SIGTERM is a drain."""
    from django.conf import settings

    DrainOnSignal(server, _board(), drain_seconds=settings.DRAIN_SECONDS, say=_say).install()
    # What has been loaded stays; left out of collections it also stays shared between master and workers.
    gc.freeze()
    gc.enable()


def pre_fork(server: Any, worker: Any) -> None:
    """In the master: the new worker's slot."""
    worker.scoreboard_slot = _board().reserve()


def post_fork(server: Any, worker: Any) -> None:
    """In the worker: its own slot, and none of the master's timer."""
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    scoreboard.install(_board(), _board().attach(worker.scoreboard_slot))


def post_worker_init(worker: Any) -> None:
    """The worker is about to serve: warm up beside it, so that probes are answered from the first moment."""
    from apps.lifecycle import warmup

    slot = scoreboard.own_slot()
    if slot is not None:
        slot.put_start(StartPhase.FORK, (time.monotonic() - slot.reserved_at) * 1000)
    warmup.start(worker.wsgi)


def pre_request(worker: Any, request: Any) -> None:
    """While draining, ask whoever keeps this connection open to use another one next time.

    Whoever waits for a word before it sends a file (Expect: 100-continue) gets it from the app, once that wants the
    file. Refused, the file is never sent, so nothing else can follow on this connection.
    """
    leaves_word = request._expected_100_continue and (
        request.method == "PUT" or request.path.startswith("/files")
    )
    if leaves_word:
        request._expected_100_continue = False
    if leaves_word or drain.is_draining():
        request.force_close()


def worker_exit(server: Any, worker: Any) -> None:
    """In the ending worker, after its last request: give the database its connections back."""
    from apps.common import watching
    from apps.lifecycle import monitor, pools

    monitor.stop()
    pools.close()
    watching.end()


def child_exit(server: Any, worker: Any) -> None:
    """In the master, after a worker has ended in whatever way: forget it, but not what it counted."""
    from prometheus_client import multiprocess

    from apps.lifecycle import departed

    _board().release(worker.scoreboard_slot)
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
    departed.fold(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))


def prepare_run_dir(run_dir: str) -> str:
    """Empty the metrics' folder and name it to prometheus-client, which reads the name on import."""
    folder = Path(run_dir) / "metrics"
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR") == str(folder) and scoreboard.current() is not None:
        return str(folder)  # read again on SIGHUP: living workers write there
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.db"):
        old.unlink(missing_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    return str(folder)


_marks: dict[str, float] = {}


def _board() -> scoreboard.Scoreboard:
    board = scoreboard.current()
    if board is None:
        raise RuntimeError("gunicorn.conf.py must call hooks.configuration_loaded first")
    return board


def _say(event: str) -> None:
    """One log line by a bare write: in a signal handler a logger may wait for its own lock."""
    line = {
        "event": event,
        "level": "info",
        "logger": "apps.lifecycle",
        "time": datetime.now(UTC).isoformat(),
        "instance": os.environ.get("INSTANCE", "local"),
        "release": os.environ.get("RELEASE", "dev"),
    }
    os.write(sys.stdout.fileno(), json.dumps(line).encode() + b"\n")
