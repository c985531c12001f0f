"""The one module that starts, signals and ends processes. Decides nothing; knows no service.

Every child leads a session of its own: a terminal's Ctrl-C does not reach it, and the whole group can be killed.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

# Says whose a process is even when the one who started it is gone: the data folder it belongs to.
OWNER_VARIABLE = "SPILLWAY_UNIT_OF"
LOG_MAX_BYTES = 32 * 2**20
_HAS_PROC = Path("/proc/self/stat").exists()


@dataclass(frozen=True)
class Account:
    """The user a child runs as."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Command:
    """What to run. `env` is complete: nothing is inherited beside it."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    account: Account | None = None


@dataclass(frozen=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    started: float

    def alive(self) -> bool:
        return start_time(self.pid) == self.started


def start_time(pid: int) -> float | None:
    """When a process started, in a unit that only this machine understands; None if it is gone or a zombie."""
    return _start_ticks(pid) if _HAS_PROC else _start_time_elsewhere(pid)


def _start_ticks(pid: int) -> float | None:
    # Ticks since boot do not move when the clock is set, unlike the times made from them.
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {b"Z", b"X"} else float(fields[19])


def _start_time_elsewhere(pid: int) -> float | None:
    import psutil  # only where there is no /proc

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else round(process.create_time(), 1)
    except psutil.Error:
        return None


def age_seconds(identity: Identity) -> float | None:
    """How long ago this process was started; None if it is gone."""
    if not identity.alive():
        return None
    if _HAS_PROC:
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - identity.started / os.sysconf("SC_CLK_TCK"))
    return max(0.0, time.time() - identity.started)


def run(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, limit_seconds: float) -> tuple[int, str]:
    """Run a program to its end; its exit code and all it said. One that takes too long is killed, with -1."""
    process = subprocess.Popen(
        list(argv), env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = process.communicate(timeout=limit_seconds)
    except subprocess.TimeoutExpired:
        signal_group(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        return -1, f"{said}\nnot done after {limit_seconds:.0f} s"
    except BaseException:
        signal_group(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return process.returncode, said


def run_on(argv: Sequence[str], *, cwd: Path) -> None:
    """Start a program that goes on, and ends, without us. Raises OSError."""
    subprocess.Popen(
        list(argv), cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip


@dataclass
class Child:
    """A running child of this process."""

    process: subprocess.Popen[bytes]
    identity: Identity
    returncode: int | None = field(default=None)

    @property
    def pid(self) -> int:
        return self.identity.pid

    def exited(self) -> int | None:
        """The exit code once the leader is gone, by then with its whole group; None while it runs."""
        if self.returncode is None and _leader_has_exited(self.process):
            # 1. The leader is a zombie: its number cannot be given to anybody else yet.
            # 2. Kill what it left in its group (it would hold the port). 3. Only then let the number go.
            signal_group(self.pid, signal.SIGKILL)
            self.returncode = self.process.wait()
        return self.returncode

    def send(self, signal_number: int) -> None:
        """Signal the leader alone: it knows how to stop its own children."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal_number)

    def kill(self) -> None:
        if self.returncode is None:
            signal_group(self.pid, signal.SIGKILL)

    def wait(self, limit_seconds: float) -> int | None:
        """The exit code, or None if it still runs after the limit."""
        until = time.monotonic() + limit_seconds
        while self.exited() is None and time.monotonic() < until:
            time.sleep(0.02)
        return self.returncode

    def stop(self, signal_number: int, limit_seconds: float) -> None:
        """Ask, wait, then insist."""
        self.send(signal_number)
        if self.wait(limit_seconds) is None:
            self.kill()
            self.wait(5)


def _leader_has_exited(process: subprocess.Popen[bytes]) -> bool:
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def signal_group(pid: int, signal_number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal_number)


def spawn(command: Command) -> Child:
    """Start a child in a session of its own, its output appended to its log. Raises OSError."""
    shorten_log(command.log)
    account = command.account
    with command.log.open("ab", buffering=0) as log:
        process = subprocess.Popen(
            list(command.argv),
            env=dict(command.env),
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    return Child(process, Identity(process.pid, start_time(process.pid) or 0.0))


def shorten_log(log: Path) -> None:
    """Move a log that has grown too long aside (`<name>.log.1`), in place: whoever appends to it goes on."""
    with suppress(OSError):
        if log.stat().st_size > LOG_MAX_BYTES:
            # Block by block: it may be larger than memory.
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)


def last_lines(log: Path, count: int) -> list[str]:
    try:
        return lines_from(log, max(0, log.stat().st_size - 64 * 1024))[-count:]
    except OSError:
        return []


def lines_from(log: Path, offset: int) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(offset)
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def strays(owner: str) -> Iterator[Identity]:
    """Processes that carry the owner's mark in their environment, whoever started them. Linux only."""
    mark = f"{OWNER_VARIABLE}={owner}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                pid = int(folder.name)
                if (started := start_time(pid)) is not None:
                    yield Identity(pid, started)


def end_strays(found: Sequence[Identity], signal_number: int, limit_seconds: float) -> list[Identity]:
    """Ask, wait, then kill processes that are not our children; returns those that were alive."""
    alive = [identity for identity in found if identity.alive()]
    for identity in alive:
        _signal(identity, signal_number)
    until = time.monotonic() + limit_seconds
    while any(identity.alive() for identity in alive) and time.monotonic() < until:
        time.sleep(0.05)
    for identity in alive:
        _kill_with_group(identity)
    return alive


def _signal(identity: Identity, signal_number: int) -> None:
    if identity.alive():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(identity.pid, signal_number)


def _kill_with_group(identity: Identity) -> None:
    if not identity.alive():
        return
    with suppress(ProcessLookupError, PermissionError):
        if os.getpgid(identity.pid) == identity.pid:
            signal_group(identity.pid, signal.SIGKILL)
    _signal(identity, signal.SIGKILL)
