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
class Seen:
    """One process group that the platform runs. `address` is host:port, or None if it listens nowhere."""

    name: str
    kind: str
    pid: int | None
    address: str | None
    release: str | None
    state: InstanceState
    restarts: int = 0


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
    - `wish` changes how large the fleet shall be; it returns at once, the platform follows within a second.
    - `environment` is what a management command needs to reach the fleet's database, Redis and store.
    - `lent` yields such an environment while no fleet runs, with database and Redis started for as long as that.
    - `logs` maps a unit's name to its log file; a unit that never ran has none.
    - `admin_password_file` holds the generated password; `first_greeting` is True once in a data folder's life.
    """

    name: str

    def observe(self) -> Observation: ...

    def up(self, options: UpOptions, watcher: Watcher) -> None: ...

    def run(self, options: UpOptions, watcher: Watcher) -> None: ...

    def down(self, watcher: Watcher) -> bool: ...

    def desired(self) -> Desired: ...

    def wish(self, desired: Desired) -> None: ...

    def environment(self) -> dict[str, str]: ...

    def lent(self) -> AbstractContextManager[dict[str, str]]: ...

    def logs(self) -> dict[str, Path]: ...

    def admin_password_file(self) -> Path: ...

    def first_greeting(self) -> bool: ...
