"""The embedded platform: a fleet as processes on this machine. Ties lock, supervisor and state together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path

from apps.lifecycle.vocabulary import InstanceState
from deploy.fleet.checkout import ROOT
from deploy.fleet.configuration import Desired, UpOptions, members
from deploy.fleet.errors import AlreadyUpError, FleetError, NotRunningError, StartError
from deploy.fleet.platforms.embedded import forwarding, journal, site
from deploy.fleet.platforms.embedded.credentials import load_or_create
from deploy.fleet.platforms.embedded.data_folder import DataFolder, check_owner, check_path
from deploy.fleet.platforms.embedded.lock import (
    MANAGE,
    environment_with,
    holder_of,
    lock_is_held,
    supervisor_lock,
)
from deploy.fleet.platforms.embedded.network_ports import PortBook, check_public_port
from deploy.fleet.platforms.embedded.orphans import end_orphans
from deploy.fleet.platforms.embedded.release import release_of
from deploy.fleet.platforms.embedded.servers import database_lent, why_not
from deploy.fleet.platforms.embedded.service import Context
from deploy.fleet.platforms.embedded.store_choice import check_store
from deploy.fleet.platforms.embedded.supervisor import Supervisor, own_identity
from deploy.fleet.ports import Observation, Seen, Watcher
from deploy.fleet.probes import instance_readiness
from deploy.fleet.processes import Identity, lines_from

# Longer than everything in a fleet may take to stop, one wave after the other.
_DOWN_SECONDS = 120.0
_LOOK_SECONDS = 0.1


class EmbeddedPlatform:
    """See deploy.fleet.ports.Platform."""

    name = "embedded"

    def __init__(self, data: Path) -> None:
        check_owner(data)
        self.folder = DataFolder(data)
        self._log_began = 0

    # --- looking ---------------------------------------------------------------------------------------------

    def observe(self) -> Observation:
        last = journal.load(self.folder)
        supervised = lock_is_held(self.folder) and not self._is_managed()
        if supervised and last.phase in {"stopped", "failed"}:
            # Its supervisor has not written anything yet.
            last = Observation(phase="starting")
        known = journal.identities(self.folder)
        alive = {name: identity for name, identity in known.items() if identity.alive()}
        if not supervised and not alive:
            return Observation(phase="failed" if last.phase == "failed" else "stopped", error=last.error)
        with ThreadPoolExecutor(max_workers=16) as pool:
            units = list(pool.map(lambda unit: _looked_at(unit, alive), last.units))
        return replace(last, phase=last.phase if supervised else "unsupervised", units=units)

    def _is_managed(self) -> bool:
        holder = holder_of(self.folder)
        return holder is not None and holder.verb == MANAGE

    def logs(self) -> dict[str, Path]:
        return {file.stem: file for file in sorted(self.folder.logs.glob("*.log"))}

    def admin_password_file(self) -> Path:
        return self.folder.admin_password

    def first_greeting(self) -> bool:
        try:
            self.folder.greeted.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def mail_folder(self) -> Path | None:
        return site.mail_folder(self.folder)

    def lent(self) -> AbstractContextManager[dict[str, str]]:
        return database_lent(self.folder)

    def desired(self) -> Desired:
        return journal.read_desired(self.folder)

    def change(self, change: Callable[[Desired], Desired]) -> Desired:
        return journal.change_desired(self.folder, change)

    def environment(self) -> dict[str, str]:
        context = self.context()
        return site.environment(context, self.desired().release or None)

    def context(self) -> Context:
        """Of the fleet as it was last started: ports are remembered, not chosen anew. Raises NotRunningError."""
        if not self.folder.secrets.exists():
            raise NotRunningError(f"There is no data in {self.folder.root} yet: run `spillway up` first.")
        last = journal.load(self.folder)
        port = int((last.address or ":8000").rpartition(":")[2])
        return self._context(UpOptions(self.folder.root, port=port, store=self.desired().store), running=True)

    def _context(self, options: UpOptions, *, running: bool = False) -> Context:
        return Context(
            folder=self.folder,
            credentials=load_or_create(self.folder),
            ports=PortBook(self.folder.ports, keep=running),
            options=options,
            release=os.environ.get("RELEASE") or release_of(ROOT),
        )

    # --- starting --------------------------------------------------------------------------------------------

    def run(self, options: UpOptions, watcher: Watcher) -> None:
        self._check_new(options)
        with supervisor_lock(self.folder) as held:
            if held is None:
                raise self._who_was_first()
            self._check_held(options)
            journal.start_log(self.folder)
            context = self._context(options)
            journal.write_desired(
                self.folder, _desired(options, context.release, journal.read_desired(self.folder))
            )
            Supervisor(context, own_identity(os.getpid()), watcher).run()

    def _who_was_first(self) -> FleetError:
        words = why_not(self.folder)
        return StartError(words) if self._is_managed() else AlreadyUpError(words)

    def _check_new(self, options: UpOptions) -> None:
        """See what would make a first start fail before its folder is made: nothing is left behind."""
        forwarding.check()
        if not self.folder.state.exists():
            check_path(self.folder.root)
            check_public_port(options.host, options.port)
        check_store(self.folder, self.desired().store, options.store)
        self.folder.prepare()

    def _check_held(self, options: UpOptions) -> None:
        """What a killed supervisor left may hold the port: it goes first. Call with the lock."""
        end_orphans(self.folder)
        check_public_port(options.host, options.port)

    def up(self, options: UpOptions, watcher: Watcher) -> None:
        self._check_new(options)
        with supervisor_lock(self.folder) as held:
            if held is None:
                raise self._who_was_first()
            self._check_held(options)
            # The supervisor gets the lock from us: at no moment could another one come in between.
            supervisor = self._supervise_in_background(options, held)
            try:
                self._follow(supervisor, watcher)
            except KeyboardInterrupt:
                supervisor.terminate()
                supervisor.wait(_DOWN_SECONDS)
                raise

    def _supervise_in_background(self, options: UpOptions, held: int) -> subprocess.Popen[bytes]:
        argv = [
            sys.executable, "-m", "deploy.fleet", "supervise", "--data", str(options.data), "--host", options.host,
            "--port", str(options.port), "--web", str(options.web), "--workers", str(options.workers),
            "--store", options.store,
        ]  # fmt: skip
        with self.folder.log(journal.SUPERVISOR).open("ab") as log:
            self._log_began = log.tell()
            return subprocess.Popen(
                argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=environment_with(held), pass_fds=(held,),
            )  # fmt: skip

    def _follow(self, supervisor: subprocess.Popen[bytes], watcher: Watcher) -> None:
        while True:
            ended = supervisor.poll() is not None
            seen = journal.load(self.folder)
            ours = (found := journal.supervisor_of(self.folder)) is not None and found.pid == supervisor.pid
            if ours:
                watcher(seen)
                if seen.phase == "ready" and not ended:
                    return
            if ended:
                raise self._why_it_ended(seen if ours else None)
            time.sleep(_LOOK_SECONDS)

    def _why_it_ended(self, seen: Observation | None) -> FleetError:
        """Call with the lock."""
        end_orphans(self.folder)
        lines = lines_from(self.folder.log(journal.SUPERVISOR), self._log_began)[-12:]
        if seen is None or not seen.error:
            return StartError("The supervisor ended while starting.", log_tail=lines)
        # What it told on its way out begins so; the rest is its diary.
        return StartError(seen.error, log_tail=[line[4:] for line in lines if line.startswith("  | ")])

    # --- stopping --------------------------------------------------------------------------------------------

    def down(self, watcher: Watcher) -> bool:
        """Stop the fleet, supervised or not; False if there was none. Raises FleetError if it cannot be stopped."""
        if self._is_managed():
            raise FleetError(why_not(self.folder))
        if not lock_is_held(self.folder):
            return self._end_unsupervised()
        told = self._tell_supervisor(watcher)
        if told is not None and told.alive():
            _signal(told, signal.SIGKILL)
        self._end_unsupervised()
        if lock_is_held(self.folder):
            raise FleetError(f"The fleet in {self.folder.root} could not be stopped: its supervisor goes on.")
        return True

    def _tell_supervisor(self, watcher: Watcher) -> Identity | None:
        """Tell it to stop and wait; returns whom we told."""
        told = None
        until = time.monotonic() + _DOWN_SECONDS
        while lock_is_held(self.folder) and time.monotonic() < until:
            supervisor = journal.supervisor_of(self.folder)
            # Looked up each time: one that has only just started may not have written down who it is.
            if supervisor is not None and supervisor != told and supervisor.alive():
                _signal(supervisor, signal.SIGTERM)
                told = supervisor
            watcher(journal.load(self.folder))
            time.sleep(_LOOK_SECONDS)
        return told

    def _end_unsupervised(self) -> bool:
        """End what has no supervisor; whether there was anything. Whoever holds the lock looks after it itself."""
        if not self.folder.root.is_dir():
            return False
        with supervisor_lock(self.folder) as held:
            return held is not None and bool(end_orphans(self.folder))


def _desired(options: UpOptions, release: str, before: Desired) -> Desired:
    """A fleet of one release; the one that was there before it is what can be gone back to."""
    previous = before.previous if before.release in {"", release} else before.release
    return Desired(
        members(options.web, release),
        members(options.workers, release),
        release,
        previous,
        beat=release,
        store=options.store,
    )


def _signal(identity: Identity, number: int) -> None:
    # It may have ended a moment ago.
    with suppress(ProcessLookupError, PermissionError):
        os.kill(identity.pid, number)


def _looked_at(unit: Seen, alive: dict[str, Identity]) -> Seen:
    """The unit as it is now: its own word where it has one."""
    if unit.name not in alive:
        return replace(unit, pid=None, state=InstanceState.STOPPED)
    if unit.kind != "web" or unit.address is None or unit.state is InstanceState.DRAINING:
        return unit
    answer = instance_readiness(unit.address)
    return replace(unit, state=answer.state, why=answer.why)
