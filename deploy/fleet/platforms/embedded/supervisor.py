"""Owns the loop that keeps a fleet as desired: look, decide (supervision.py), do. Knows no single service."""

import signal
import time
from collections.abc import Callable, Sequence
from types import FrameType

from apps.lifecycle.vocabulary import LIVE_PATH
from deploy.fleet.configuration import Desired
from deploy.fleet.errors import FleetError, StartError, StoppedWhileStartingError
from deploy.fleet.platforms.embedded import (
    journal,
    monitoring,
    postgres,
    preparation,
    releases,
    site,
    stack,
    traefik,
)
from deploy.fleet.platforms.embedded.journal import log
from deploy.fleet.platforms.embedded.service import Context
from deploy.fleet.platforms.embedded.unit import Unit
from deploy.fleet.ports import Observation, Seen, Watcher
from deploy.fleet.probes import http_answers
from deploy.fleet.processes import Identity, last_lines, shorten_log, spawn, start_time
from deploy.fleet.supervision import Act, Decision, next_step, routable

TICK_SECONDS = 0.04
_READY_SECONDS = 120.0
_PREPARE_SECONDS = 600.0
_DESIRED_SECONDS = 0.5
_LOGS_SECONDS = 30.0
_WRITE_AGAIN_SECONDS = 1.0


class Supervisor:
    """One fleet, from its start to its end, in the caller's thread."""

    def __init__(self, context: Context, identity: Identity, watcher: Watcher) -> None:
        self.context = context
        self._identity = identity
        self._watcher = watcher
        self._units: dict[str, Unit] = {}
        self._places: dict[str, stack.Place] = {}
        self._desired = Desired(release=context.release, beat=context.release)
        self._kinds: set[str] = set()
        self._phase = "starting"
        self._step = ""
        self._error = ""
        self._signals = 0
        self._published: list[str] | None = None
        self._shown: Observation | None = None
        self._desired_read_at = self._logs_seen_at = self._write_again_at = 0.0

    def run(self) -> None:
        """Start everything, keep it so until a signal comes, stop everything. Raises FleetError."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        try:
            self._bring_up()
            while not self._signals:
                self._tick()
        except FleetError as error:
            self._error = str(error)
            preparation.forget(self.context.folder)
            log.info("failed: %s", error)
            raise
        finally:
            self._shut_down()

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._signals += 1

    # --- coming up -------------------------------------------------------------------------------------------

    def _bring_up(self) -> None:
        """The order is what needs what; inside a step everything starts at once."""
        self._step = "database"
        # Before anything takes time: whoever looks must see that somebody is at it.
        self._show()
        releases.keep_checkout(self.context.folder, self.context.release)
        postgres.prepare(self.context)
        self._publish([])
        self._allow("service")
        self._wait(self._ready_all(*stack.needed_to_prepare(self.context)))
        self._step = "migrations"
        self._prepare()
        self._step = "instances"
        self._allow("web")
        self._wait(lambda: self._all_ready({"service", "web"}))
        # Ready means that people get through, not only that everybody is there.
        self._wait(lambda: http_answers(self.context.options.public_address, LIVE_PATH))
        self._step = "workers"
        self._allow("worker", "beat")
        self._wait(lambda: self._all_ready(self._kinds))
        self._phase, self._step = "ready", ""
        log.info("ready at %s, release %s", self.context.options.address, self.context.release)
        self._show()

    def _allow(self, *kinds: str) -> None:
        self._kinds |= set(kinds)
        self._follow_desired()

    def _ready_all(self, *names: str) -> Callable[[], bool]:
        return lambda: all(self._units[name].ready for name in names)

    def _all_ready(self, kinds: set[str]) -> bool:
        return all(unit.ready for unit in self._units.values() if unit.wanted and unit.kind in kinds)

    def _wait(self, condition: Callable[[], bool], limit_seconds: float = _READY_SECONDS) -> None:
        until = time.monotonic() + limit_seconds
        while not condition():
            self._tick()
            self._check_start(time.monotonic() > until)

    def _check_start(self, too_late: bool) -> None:
        if self._signals:
            raise StoppedWhileStartingError("Stopped while it was starting.")
        for unit in self._units.values():
            if unit.wanted and not unit.was_ready and (unit.crashing or (too_late and not unit.ready)):
                what = "ends as soon as it is started" if unit.crashing else "did not become ready"
                raise StartError(f"{unit.name} {what}.", log_tail=self._tail(unit.name))
        if too_late:
            raise StartError("The fleet did not become ready in time.")

    def _tail(self, name: str) -> list[str]:
        return last_lines(self.context.folder.log(name), 10)

    def _prepare(self) -> None:
        found = preparation.fingerprint(self.context.release, self.context.options.store)
        if preparation.is_prepared(self.context.folder, found):
            return
        self._run_prepare()
        preparation.remember(self.context.folder, found)

    def _run_prepare(self) -> None:
        child = spawn(site.prepare_command(self.context, self.context.release))
        try:
            self._wait(lambda: child.exited() is not None, _PREPARE_SECONDS)
        finally:
            child.kill()
        if child.returncode:
            raise StartError(
                "The database could not be prepared (migrations).", log_tail=self._tail("prepare")
            )

    # --- the loop --------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._desired_read_at > _DESIRED_SECONDS:
            self._desired_read_at = now
            self._follow_desired()
        if now - self._logs_seen_at > _LOGS_SECONDS:
            self._logs_seen_at = now
            for name in (*self._units, journal.SUPERVISOR):
                shorten_log(self.context.folder.log(name))
        for unit in list(self._units.values()):
            self._look_after(unit, now)
        self._publish(routable(unit.routing_view() for unit in self._units.values() if unit.kind == "web"))
        self._show()
        time.sleep(TICK_SECONDS)

    def _look_after(self, unit: Unit, now: float) -> None:
        code = unit.reap()
        if code is not None:
            log.info("%s ended (%s)", unit.name, _how(code))
        if not unit.wanted and not unit.running and not self._has_place(unit):
            del self._units[unit.name]
            return
        decision = next_step(unit.view(), now)
        if decision is not None:
            self._do(unit, decision)

    def _do(self, unit: Unit, decision: Decision) -> None:
        if decision.act is Act.START:
            self._start(unit)
        elif decision.act is Act.TERMINATE:
            log.info("%s is told to stop: %s", unit.name, decision.reason)
            unit.terminate()
        else:
            log.info("%s is killed: %s", unit.name, decision.reason)
            unit.kill()

    def _start(self, unit: Unit) -> None:
        try:
            unit.start()
        except (OSError, FleetError) as error:
            unit.start_failed()
            log.info("%s could not be started: %s", unit.name, error)
            return
        log.info("%s started%s", unit.name, f" again ({unit.starts - 1})" if unit.starts > 1 else "")

    def _follow_desired(self) -> None:
        desired = journal.read_desired(self.context.folder)
        if desired.release:
            # Else the file is not readable at this moment: what was wanted before goes on.
            self._desired = desired
        self._places = stack.places(self.context, self._desired)
        for name, place in self._places.items():
            if place.kind in self._kinds and name not in self._units:
                self._units[name] = Unit(name, place)
        for unit in self._units.values():
            unit.wanted = self._has_place(unit) and unit.name not in self._desired.paused

    def _has_place(self, unit: Unit) -> bool:
        """A unit of another release under the same name has none: it ends before its successor starts."""
        place = self._places.get(unit.name)
        return place is not None and place.release == unit.release

    def _publish(self, urls: list[str]) -> None:
        if urls == self._published or time.monotonic() < self._write_again_at:
            return
        try:
            traefik.write_servers(self.context.folder, urls)
        except OSError as error:
            # The proxy's own health checks judge the servers meanwhile.
            self._write_failed("the proxy's servers", error)
            return
        self._published = urls
        log.info("the proxy sends to %s", ", ".join(urls) or "nobody")

    # --- being seen ------------------------------------------------------------------------------------------

    def _show(self) -> None:
        seen = Observation(
            phase=self._phase, address=self.context.options.address, release=self._desired.release,
            step=self._step, error=self._error, units=[unit.seen() for unit in self._units.values()],
        )  # fmt: skip
        if seen == self._shown or time.monotonic() < self._write_again_at:
            return
        try:
            children = {unit.name: unit.child.identity for unit in self._units.values() if unit.child}
            journal.save(self.context.folder, seen, self._identity, children)
        except OSError as error:
            self._write_failed("state.json", error)
            return
        self._show_monitoring(seen.units)
        self._shown = seen
        self._tell(seen)

    def _show_monitoring(self, units: Sequence[Seen]) -> None:
        try:
            monitoring.write(self.context.folder, units)
        except OSError as error:
            # Nobody is served worse for it; what was written stays.
            log.info("the monitoring's targets could not be written: %s", error)

    def _tell(self, seen: Observation) -> None:
        try:
            self._watcher(seen)
        except (OSError, ValueError) as error:
            # Whoever read us has gone (a closed pipe or terminal): as if the terminal had hung up.
            log.info("nobody reads us any more: %s", error)
            self._watcher = _nobody
            if self._phase != "stopping":
                self._signals += 1

    def _write_failed(self, what: str, error: OSError) -> None:
        """A full disk is no reason to stop a fleet that works: try again in a while."""
        self._write_again_at = time.monotonic() + _WRITE_AGAIN_SECONDS
        log.info("%s could not be written: %s", what, error)

    # --- going down ------------------------------------------------------------------------------------------

    def _shut_down(self) -> None:
        """In waves: who asks goes before who is asked. New requests get 503 at once, those in flight end."""
        self._phase, self._step, self._signals = "stopping", "", 0
        log.info("stopping")
        self._publish([])
        for wave in stack.STOP_WAVES:
            self._stop([unit for unit in self._units.values() if unit.name in wave or unit.kind in wave])
        self._phase = "failed" if self._error else "stopped"
        self._show()
        log.info("stopped")

    def _stop(self, units: list[Unit]) -> None:
        for unit in units:
            unit.wanted = False
            unit.terminate(fast=True)
        while any(unit.running for unit in units):
            self._stop_step(units)
            self._show()
            time.sleep(TICK_SECONDS)

    def _stop_step(self, units: list[Unit]) -> None:
        for unit in units:
            unit.reap()
            decision = next_step(unit.view(), time.monotonic())
            if self._signals and unit.kind != "service":
                # Asked again: whoever is in a hurry does not wait for requests in flight.
                unit.kill()
            elif decision is not None:
                self._do(unit, decision)


def _nobody(seen: Observation) -> None:
    """Who is told when nobody listens."""


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def own_identity(pid: int) -> Identity:
    return Identity(pid, start_time(pid) or 0.0)
