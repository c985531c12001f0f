"""Owns the signals: every second somebody is struck, by the pid that the supervisor tells. plan.py says who."""

import os
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

import psutil

from deploy.fleet.platforms.embedded import journal
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.processes import Identity, signal_group
from tests.survive.plan import Kind, Strike, Victim, next_strike

BETWEEN_SECONDS = 1.0
_LOOK_SECONDS = 0.05
# As their supervisor stops them: PostgreSQL at once but in order ("fast").
_RESTARTS = {"postgres": signal.SIGINT, "redis": signal.SIGTERM}


class Killer:
    """A context manager: strikes as long as the block takes. Whoever is frozen goes on at its end."""

    def __init__(self, data: Path, random: Random) -> None:
        self.struck: Counter[str] = Counter()
        # Seconds in which nobody could be struck without an end to the site itself.
        self.spared = 0
        self.diary: list[str] = []
        self._folder = DataFolder(data)
        self._random = random
        self._frozen: dict[Identity, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._strike_on, name="killer", daemon=True)
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._wake(time.monotonic() + 3600)

    def restart(self, name: str) -> None:
        """Stop a server that everybody needs; its supervisor starts it again."""
        identity = journal.identities(self._folder).get(name)
        assert identity is not None, f"{name} does not run"
        self._note(f"{name} is restarted")
        os.kill(identity.pid, _RESTARTS[name])
        self.struck[f"{name} restarted"] += 1

    # --- once a second -----------------------------------------------------------------------------------------

    def _strike_on(self) -> None:
        due = time.monotonic() + BETWEEN_SECONDS
        while not self._stop.wait(_LOOK_SECONDS):
            now = time.monotonic()
            self._wake(now)
            if now >= due:
                due += BETWEEN_SECONDS
                self._strike_once(now)

    def _strike_once(self, now: float) -> None:
        alive = {name: who for name, who in journal.identities(self._folder).items() if who.alive()}
        seen = [
            unit for unit in journal.load(self._folder).units if unit.kind == "web" and unit.name in alive
        ]
        victims = [Victim(unit.name, unit.state, alive[unit.name] in self._frozen) for unit in seen]
        strike = next_strike(self._random, victims)
        if strike is None:
            self.spared += 1
            self._note(f"spared: {', '.join(f'{v.name} {v.state}' for v in victims)}")
            return
        self._do(strike, alive[strike.name], now)
        self.struck[strike.kind] += 1
        self._note(f"{strike.kind} {strike.name}")

    def _do(self, strike: Strike, victim: Identity, now: float) -> None:
        if strike.kind is Kind.KILL:
            signal_group(victim.pid, signal.SIGKILL)
        elif strike.kind is Kind.FREEZE:
            signal_group(victim.pid, signal.SIGSTOP)
            self._frozen[victim] = now + strike.seconds
        elif strike.kind is Kind.STOP:
            with suppress(ProcessLookupError):
                os.kill(victim.pid, signal.SIGTERM)
        else:
            self._kill_worker(victim.pid)

    def _kill_worker(self, pid: int) -> None:
        """Of gunicorn: its master starts another one."""
        with suppress(psutil.Error):
            self._random.choice(psutil.Process(pid).children()).kill()

    def _wake(self, now: float) -> None:
        for identity in [who for who, until in self._frozen.items() if until <= now]:
            del self._frozen[identity]
            if identity.alive():
                signal_group(identity.pid, signal.SIGCONT)

    def _note(self, text: str) -> None:
        self.diary.append(f"{time.monotonic() - self._began:6.1f} s  {text}")
