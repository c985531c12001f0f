"""Owns the seam between commands and what starts and stops instances. Holds no implementation.

A platform is `embedded` (processes on this machine) or `compose` (containers). Commands know only this.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.configuration import Desired, UpOptions


@dataclass(frozen=True)
class Report:
    """What one web instance says on /statusz. Totals count since its start; times are in seconds.

    `failures_total` are answers with 500, 502 or 504: what a release can be wrong about. A full store (507) or a
    refusal for lack of room (503) is none. `reads_total` and `read_seconds_total` are GETs: bodies take what they take.
    """

    uptime_seconds: float = 0.0
    ready_seconds: float = 0.0
    in_flight: int = 0
    waiting: int = 0
    threads: int = 1
    requests_total: int = 0
    failures_total: int = 0
    reads_total: int = 0
    read_seconds_total: float = 0.0
    pool_size: int = 0
    pool_available: int = 0
    pool_max: int = 0
    check_age_seconds: float | None = None
    # Messages that wait for a worker, as the instance last saw it; None if it has not looked yet.
    queue_depth: int | None = None


@dataclass(frozen=True)
class Seen:
    """One process group that the platform runs. `address` is host:port, or None if it listens nowhere."""

    name: str
    kind: str
    pid: int | None
    address: str | None
    release: str | None
    state: InstanceState
    restarts: int = 0
    # Seconds since it was started; None where nobody knows.
    age_seconds: float | None = None
    # What a web instance told about itself; None for everything else, and for one that does not answer.
    report: Report | None = None
    # Whether every proxy sends to it now; None where no proxy is concerned, or none can be asked.
    routed: bool | None = None
    # Why a web instance is not ready, in its own words.
    why: str = ""


@dataclass(frozen=True)
class Observation:
    """What runs now. `phase`: stopped | starting | ready | stopping | failed."""

    phase: str
    address: str | None = None
    release: str | None = None
    step: str = ""
    error: str = ""
    units: list[Seen] = field(default_factory=list)

    @property
    def instances(self) -> list[Seen]:
        return [unit for unit in self.units if unit.kind == "web"]

    @property
    def services(self) -> list[Seen]:
        return [unit for unit in self.units if unit.kind != "web"]

    @property
    def running(self) -> bool:
        return self.phase not in {"stopped", "failed"}


Watcher = Callable[[Observation], None]


class Platform(Protocol):
    """Starts, watches and stops one fleet.

    - `observe` never blocks longer than about two seconds and never raises for a fleet that does not run: it
      answers with phase `stopped`. Each state is the instance's own word (/readyz), not what was last intended.
    - `up` returns when every unit was ready once; the fleet then runs on without the caller. It raises
      FleetError, with the last log lines in `log_tail`, when that failed, and nothing is left running.
    - `run` is `up` in the caller's process: it returns only after the fleet has been stopped again.
    - `down` stops everything gracefully, waits, and kills what outlasts its limit. It also removes what a
      killed supervisor left behind. It returns False if there was nothing to stop.
    - `change` changes what shall run, alone, and returns it at once; the platform follows within a second.
    - `environment` is what a management command needs to reach the fleet's database, Redis and store.
    - `lent` yields such an environment while no fleet runs, with database and Redis started for as long as that.
    - `logs` maps a unit's name to its log file; a unit that never ran has none.
    - `admin_password_file` holds the generated password; `first_greeting` is True once in a data folder's life.
    - `mail_folder` is where letters are written instead of sent; None where it is known where mail goes.
    """

    name: str

    def observe(self) -> Observation: ...

    def up(self, options: UpOptions, watcher: Watcher) -> None: ...

    def run(self, options: UpOptions, watcher: Watcher) -> None: ...

    def down(self, watcher: Watcher) -> bool: ...

    def desired(self) -> Desired: ...

    def change(self, change: Callable[[Desired], Desired]) -> Desired: ...

    def environment(self) -> dict[str, str]: ...

    def lent(self) -> AbstractContextManager[dict[str, str]]: ...

    def logs(self) -> dict[str, Path]: ...

    def admin_password_file(self) -> Path: ...

    def first_greeting(self) -> bool: ...

    def mail_folder(self) -> Path | None: ...


class Fleet(Protocol):
    """A running fleet whose parts can be replaced one by one: what rollouts, scaling and the agent work on.

    - `look` takes about two seconds at most and never raises for an instance that does not answer. It lists every
      unit of kind `web`, `worker` and `beat` that exists, the draining and the ended ones too, with its release. It
      raises NotRunningError when there is no fleet at all.
    - `current` is the release that the fleet is meant to run, and what is started when more is wanted. `previous` is
      the one before it, None if there was none.
    - `fetch` makes a release startable here and returns its name; None means the code of this checkout. Raises
      ReleaseError with what to do when it cannot be had. Nothing that runs is touched.
    - `refusals` says why instances of the current release could not live with the migrations that `release` would
      still apply: one line each, none if they could.
    - `migrate` applies them and collects the assets, once, whoever else tries. Raises ReleaseError with the reason.
    - `start` starts one more unit of a kind and release and returns its name without waiting for it. A `beat` is
      started after the one before has ended.
    - `stop` tells a unit to stop as SIGTERM does (a web instance drains) and returns at once. Once ended it vanishes
      from `look`. What outlasts its limit is killed. Stopping what is gone already is no error.
    - `kill` ends a unit at once, whatever state it is in, and makes it vanish.
    - `adopt` makes a release the current one; the one before becomes `previous`. Adopting the current one changes
      nothing.
    - `resize` remembers how many units of a kind there shall be from now on, so that `up` keeps it.
    - `alone` is held by whoever changes the fleet; raises BusyError, naming the holder, when somebody else has it.
    - `folder` is where the tool keeps what it remembers of this fleet.
    - `heals_itself`: something else already replaces what died and what hangs, so the agent does not.
    """

    name: str
    heals_itself: bool

    @property
    def folder(self) -> Path: ...

    def look(self) -> Observation: ...

    def current(self) -> str: ...

    def previous(self) -> str | None: ...

    def fetch(self, release: str | None) -> str: ...

    def refusals(self, release: str) -> list[str]: ...

    def migrate(self, release: str) -> None: ...

    def start(self, kind: str, release: str) -> str: ...

    def stop(self, name: str) -> None: ...

    def kill(self, name: str) -> None: ...

    def adopt(self, release: str) -> None: ...

    def resize(self, kind: str, count: int) -> None: ...

    def alone(self, what: str) -> AbstractContextManager[None]: ...
