"""The embedded fleet, part by part: rollouts and scaling change what the supervisor shall keep running."""

import os
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import cached_property
from http.client import HTTPException
from pathlib import Path

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.configuration import WEB_MAX, WORKERS_MAX, Desired, Member
from deploy.fleet.errors import FleetError, NotRunningError, ReleaseError
from deploy.fleet.holding import held
from deploy.fleet.migrations import last_line, refusals_told
from deploy.fleet.platforms.embedded import journal, releases, site, traefik
from deploy.fleet.platforms.embedded.platform import EmbeddedPlatform
from deploy.fleet.platforms.embedded.service import Context, loopback
from deploy.fleet.ports import Observation, Seen
from deploy.fleet.probes import http_get, instance_report
from deploy.fleet.processes import age_seconds, run
from deploy.fleet.routes import servers_up

_MANAGE_SECONDS = 900.0


class EmbeddedFleet:
    """See deploy.fleet.ports.Fleet."""

    name = "embedded"
    heals_itself = True

    def __init__(self, data: Path) -> None:
        self._platform = EmbeddedPlatform(data)
        self._data = self._platform.folder

    @property
    def folder(self) -> Path:
        return self._data.root

    @cached_property
    def _context(self) -> Context:
        return self._platform.context()

    # --- looking ---------------------------------------------------------------------------------------------

    def look(self) -> Observation:
        seen = self._platform.observe()
        if not seen.running:
            raise NotRunningError("Nothing is running: `spillway up` starts everything.")
        up = self._servers_up()
        born = journal.identities(self._data)
        listed = _as_desired(seen.units, self._platform.desired())
        with ThreadPoolExecutor(max_workers=16) as pool:
            units = list(pool.map(lambda unit: _seen_closely(unit, up), listed))
        # A unit that starts anew at this moment is known by the one before it: that one is gone, and has no age.
        aged = [replace(u, age_seconds=age_seconds(born[u.name]) if u.name in born else 0.0) for u in units]
        return replace(seen, units=aged)

    def _servers_up(self) -> set[str] | None:
        try:
            status, body = http_get(loopback(self._context.ports.claim_once(traefik.NAME)), traefik.API_PATH)
            return servers_up(body) if status == 200 else None
        except (OSError, HTTPException):
            return None

    def current(self) -> str:
        return self._platform.desired().release

    def previous(self) -> str | None:
        return self._platform.desired().previous or None

    # --- releases --------------------------------------------------------------------------------------------

    def fetch(self, release: str | None) -> str:
        return releases.fetch(self._data, release)

    def refusals(self, release: str) -> list[str]:
        return refusals_told(release, *self._manage(release, "check_migrations", "--json"))

    def migrate(self, release: str) -> None:
        code, said = self._manage(release, "prepare", "--admin-username", "admin")
        if code:
            raise ReleaseError(f"The database could not be prepared for {release}: {last_line(said)}")

    def _manage(self, release: str, *arguments: str) -> tuple[int, str]:
        command = site.manage_command(self._context, release, arguments, "prepare")
        return run(command.argv, env=command.env, cwd=command.cwd, limit_seconds=_MANAGE_SECONDS)

    def adopt(self, release: str) -> None:
        before = self._platform.desired()
        self._platform.change(lambda desired: _adopted(desired, release))
        releases.forget_old(self._data, {release, before.release, before.previous, *_in_use(before)})

    # --- units -----------------------------------------------------------------------------------------------

    def start(self, kind: str, release: str) -> str:
        if kind == "beat":
            self._platform.change(lambda desired: replace(desired, beat=release))
            return site.BEAT
        taken = {unit.name for unit in self._platform.observe().units}
        added: list[Member] = []

        def add(desired: Desired) -> Desired:
            mine = _members(desired, kind)
            if len(mine) >= (WEB_MAX if kind == "web" else WORKERS_MAX):
                raise FleetError(f"There are {len(mine)} already: more are not allowed.")
            numbers = {member.number for member in mine}
            number = next(n for n in range(1, 10_000) if n not in numbers and _name(kind, n) not in taken)
            added.append(Member(number, release))
            return _with(desired, kind, (*mine, *added))

        self._platform.change(add)
        return _name(kind, added[0].number)

    def stop(self, name: str) -> None:
        self._platform.change(lambda desired: _without(desired, name))

    def kill(self, name: str) -> None:
        self.stop(name)
        identity = journal.identities(self._data).get(name)
        if identity is not None and identity.alive():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(identity.pid, signal.SIGKILL)

    def resize(self, kind: str, count: int) -> None:
        """What shall run is written down with every start and stop already."""

    def alone(self, what: str) -> AbstractContextManager[None]:
        return held(self._data.fleet_lock, what)


def _as_desired(units: Sequence[Seen], desired: Desired) -> list[Seen]:
    """The units with what the supervisor has been asked for, but may not have read yet: it looks twice a second."""
    wanted = {site.web_name(member.number): ("web", member.release) for member in desired.web}
    wanted |= {site.worker_name(member.number): ("worker", member.release) for member in desired.workers}
    wanted |= {site.BEAT: ("beat", desired.beat)}
    found = [unit for unit in units if unit.kind == "service"]
    for unit in units:
        if unit.kind == "service":
            continue
        _, release = wanted.get(unit.name, (unit.kind, None))
        if release == unit.release:
            wanted.pop(unit.name)
            found.append(unit)
        elif unit.name != site.BEAT:
            found.append(replace(unit, state=InstanceState.DRAINING))
    starting = InstanceState.STARTING
    found += [Seen(name, kind, None, None, release, starting) for name, (kind, release) in wanted.items()]
    return found


def _seen_closely(unit: Seen, up: set[str] | None) -> Seen:
    if unit.kind != "web" or unit.address is None or unit.pid is None:
        return unit
    routed = None if up is None else f"http://{unit.address}" in up
    return replace(unit, report=instance_report(unit.address), routed=routed)


def _name(kind: str, number: int) -> str:
    return site.web_name(number) if kind == "web" else site.worker_name(number)


def _members(desired: Desired, kind: str) -> tuple[Member, ...]:
    return desired.web if kind == "web" else desired.workers


def _with(desired: Desired, kind: str, members: Sequence[Member]) -> Desired:
    ordered = tuple(sorted(members, key=lambda member: member.number))
    return replace(desired, web=ordered) if kind == "web" else replace(desired, workers=ordered)


def _without(desired: Desired, name: str) -> Desired:
    for kind in ("web", "worker"):
        left = [member for member in _members(desired, kind) if _name(kind, member.number) != name]
        desired = _with(desired, kind, left)
    return replace(desired, paused=tuple(each for each in desired.paused if each != name))


def _adopted(desired: Desired, release: str) -> Desired:
    if desired.release == release:
        return desired
    return replace(desired, release=release, previous=desired.release)


def _in_use(desired: Desired) -> set[str]:
    return {member.release for member in (*desired.web, *desired.workers)} | {desired.beat}
