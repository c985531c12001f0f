"""Owns one supervised unit: its process, what it last said, and its history. Decides nothing."""

import threading
import time

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.platforms.embedded.service import Service
from deploy.fleet.platforms.embedded.stack import Place
from deploy.fleet.ports import Seen
from deploy.fleet.probes import Answer
from deploy.fleet.processes import Child, spawn
from deploy.fleet.supervision import (
    SILENT_POLLS_MAX,
    InstanceView,
    UnitView,
    in_crash_loop,
    live_failures_after,
    still_quick,
)

_POLL_SECONDS = 0.25
_POLL_STARTING_SECONDS = 0.05
_LIVE_SECONDS = 1.0


class Unit:
    """A thread asks the process how it is; everything else happens in the supervisor's thread.

    The thread writes `answer`, `silent_polls`, `live_failures`, `live_seen` and `ready_seen`, each in one assignment,
    and only for the child that it was started with.
    """

    def __init__(self, name: str, place: Place) -> None:
        self.name = name
        self.kind = place.kind
        self.release = place.release
        self._blueprint = place.blueprint
        self.service: Service | None = None
        self.child: Child | None = None
        self.wanted = False
        self.started_at = 0.0
        self.stopping_since: float | None = None
        self.quick_deaths: tuple[float, ...] = ()
        self.starts = 0
        self.was_ready = False
        self._forget_answers()

    def _forget_answers(self) -> None:
        self.answer = Answer(InstanceState.STARTING)
        self.silent_polls = 0
        self.live_failures = 0
        self.live_seen = False
        self.ready_seen = False

    def start(self) -> None:
        """Raises OSError or FleetError if it cannot even be tried."""
        self._forget_answers()
        self.stopping_since = None
        self.service = self._blueprint()
        self.started_at = time.monotonic()
        self.starts += 1
        self.child = spawn(self.service.command)
        for watch in (self._watch_readiness, self._watch_liveness):
            threading.Thread(target=watch, args=(self.service, self.child), daemon=True).start()

    def start_failed(self) -> None:
        """A start that could not even be tried counts as a death on the spot."""
        self.quick_deaths = (*self.quick_deaths, time.monotonic())

    def _current(self, child: Child) -> bool:
        return self.child is child and child.returncode is None

    def _watch_readiness(self, service: Service, child: Child) -> None:
        while self._current(child):
            answer = service.ready()
            if not self._current(child):
                return
            self._take(answer)
            ready = answer.state is InstanceState.READY
            time.sleep(_POLL_SECONDS if ready or self.was_ready else _POLL_STARTING_SECONDS)

    def _take(self, answer: Answer) -> None:
        """Silence leaves the last word standing; how long it may stand is supervision's decision."""
        if not answer.answered:
            self.silent_polls += 1
            return
        self.silent_polls = 0
        self.answer = answer
        self.ready_seen = self.ready_seen or answer.state is InstanceState.READY
        self.live_seen = self.live_seen or self.ready_seen
        self.was_ready = self.was_ready or self.ready_seen

    def _watch_liveness(self, service: Service, child: Child) -> None:
        if service.live is None:
            return
        while self._current(child):
            live = service.live()
            if not self._current(child):
                return
            self.live_failures = live_failures_after(
                self.live_failures, answered=live, seen_alive=self.live_seen
            )
            self.live_seen = self.live_seen or live
            time.sleep(_LIVE_SECONDS)

    def reap(self) -> int | None:
        """The exit code if the process has ended since the last look."""
        if self.child is None or (code := self.child.exited()) is None:
            return None
        now = time.monotonic()
        if self.stopping_since is None:
            self.quick_deaths = still_quick(
                self.quick_deaths, got_ready=self.ready_seen, ran_seconds=now - self.started_at, now=now
            )
        self.child = None
        self.stopping_since = None
        self._forget_answers()
        return code

    def terminate(self, *, fast: bool = False) -> None:
        if self.child is not None and self.service is not None and self.stopping_since is None:
            self.stopping_since = time.monotonic()
            self.child.send(self.service.fast_stop_signal if fast else self.service.stop_signal)

    def kill(self) -> None:
        if self.child is not None:
            self.live_failures = 0
            self.child.kill()

    @property
    def running(self) -> bool:
        return self.child is not None

    @property
    def ready(self) -> bool:
        return self.state is InstanceState.READY

    @property
    def crashing(self) -> bool:
        return in_crash_loop(self.quick_deaths)

    @property
    def state(self) -> InstanceState:
        if not self.running:
            return InstanceState.STARTING if self.wanted else InstanceState.STOPPED
        if self.stopping_since is not None:
            return InstanceState.DRAINING
        return InstanceState.UNREADY if self.silent_polls >= SILENT_POLLS_MAX else self.answer.state

    def view(self) -> UnitView:
        service = self.service
        return UnitView(
            wanted=self.wanted, running=self.running, started_at=self.started_at, live_seen=self.live_seen,
            live_failures=self.live_failures, stopping_since=self.stopping_since, quick_deaths=self.quick_deaths,
            stop_limit_seconds=service.stop_limit_seconds if service else 10.0,
            start_limit_seconds=service.start_limit_seconds if service else 60.0,
        )  # fmt: skip

    def routing_view(self) -> InstanceView:
        return InstanceView(
            url=f"http://{self.service.address if self.service else ''}", running=self.running,
            stopping=self.stopping_since is not None, state=self.answer.state, silent_polls=self.silent_polls,
        )  # fmt: skip

    def seen(self) -> Seen:
        service = self.service
        return Seen(
            name=self.name, kind=self.kind, pid=self.child.pid if self.child else None,
            address=service.address if service else None, release=self.release,
            state=self.state, restarts=max(0, self.starts - 1),
        )  # fmt: skip
