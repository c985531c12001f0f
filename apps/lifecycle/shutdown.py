"""Owns what the gunicorn master does on SIGTERM, SIGINT and SIGQUIT: announce, wait, then stop gracefully.

In steps, on SIGTERM:
1. phase `draining`: every worker's /readyz says 503 from this moment; all requests are served.
2. after DRAIN_SECONDS (a timer, so the master's loop goes on and restarts a worker that dies meanwhile) phase
   `stopping`: uploads commit what they have and let go.
3. the signal goes to gunicorn: no new connections, requests in flight finish within `graceful_timeout`.

Handlers only store, arm a timer, queue and os.write: logging takes locks that the interrupted code may hold.
"""

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from apps.lifecycle.scoreboard import Scoreboard
from apps.lifecycle.vocabulary import DrainPhase


class DrainOnSignal:
    """Stands between the signals and gunicorn's arbiter, in the master."""

    def __init__(
        self, arbiter: Any, board: Scoreboard, *, drain_seconds: float, say: Callable[[str], None]
    ) -> None:
        self._arbiter = arbiter
        self._board = board
        self._drain_seconds = drain_seconds
        self._say = say
        self._master_pid = os.getpid()

    def install(self) -> None:
        """Replace gunicorn's handlers. They only queue, so nothing of it is lost."""
        signal.signal(signal.SIGTERM, self._on_term)
        signal.signal(signal.SIGALRM, self._on_alarm)
        signal.signal(signal.SIGINT, self._on_int)
        signal.signal(signal.SIGQUIT, self._on_quit)

    def _on_term(self, signum: int, frame: FrameType | None) -> None:
        self._leave_if_just_forked()
        if self._board.phase is not DrainPhase.SERVING:
            return  # told twice: the drain is not cut short by it
        self._board.enter_phase(DrainPhase.DRAINING)
        self._say("drain_began")
        # A timer of 0 would never fire.
        signal.setitimer(signal.ITIMER_REAL, max(self._drain_seconds, 0.001))

    def _on_alarm(self, signum: int, frame: FrameType | None) -> None:
        self._stop(signal.SIGTERM)

    def _on_int(self, signum: int, frame: FrameType | None) -> None:
        """Ctrl-C: no drain, but what is in flight still finishes; a second one does not wait for that."""
        self._leave_if_just_forked()
        first = self._board.phase is not DrainPhase.STOPPING
        self._stop(signal.SIGTERM if first else signal.SIGINT)

    def _on_quit(self, signum: int, frame: FrameType | None) -> None:
        self._leave_if_just_forked()
        self._stop(signal.SIGQUIT)

    def _stop(self, signum: int) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._board.enter_phase(DrainPhase.STOPPING)
        self._say("stop_began")
        self._arbiter.SIG_QUEUE.put_nowait(signum)

    def _leave_if_just_forked(self) -> None:
        """Between the fork and the worker's own handlers a signal ends it; the drain is the master's."""
        if os.getpid() != self._master_pid:
            raise SystemExit(0)
