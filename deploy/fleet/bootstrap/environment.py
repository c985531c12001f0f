"""Owns `.venv`: made once, filled when the pinned requirements change, never left looking finished when it is not."""

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.fleet.bootstrap.steps import Steps, run_shown
from deploy.fleet.checkout import ROOT
from deploy.fleet.errors import FleetError

RUNTIME = ("requirements.txt", "requirements-embedded.txt")
DEVELOPMENT = (*RUNTIME, "requirements-dev.txt")
# Installed beside the others, where only who looks for them finds them: apps.common.watching.
WATCHING = "requirements-watching.txt"
_WATCHING_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "SENTRY_DSN")
# What the packages take once unpacked, with pip's own copies on the way.
_ROOM_BYTES = 1_500 * 2**20


def needed_files(verb: str) -> tuple[str, ...]:
    return DEVELOPMENT if verb in {"test", "bench", "screenshots"} else RUNTIME


def needs_watching(verb: str, environment: Mapping[str, str]) -> bool:
    """Whether traces or crash reports will be sent, or tried out. Each setting may lie in a file: `NAME_FILE`."""
    names = [name for each in _WATCHING_VARIABLES for name in (each, f"{each}_FILE")]
    return verb == "test" or (verb in {"up", "manage"} and any(environment.get(name) for name in names))


class Environment:
    """The packages of this checkout, in `<home>/.venv`.

    A stamp `.spillway-<n>` holds the hash of the n requirement files that are installed. It is removed before
    anything changes and written after everything has, so an interrupted install is simply done again.
    """

    def __init__(self, home: Path, root: Path = ROOT) -> None:
        self.home = home
        self._root = root
        self.folder = home / ".venv"
        self.python = self.folder / "bin" / "python"

    def usable(self) -> bool:
        return self._stamp(RUNTIME).exists() and os.access(self.python, os.X_OK)

    @contextmanager
    def locked(self, steps: Steps) -> Iterator[None]:
        """One bootstrap at a time. The lock is on the folder itself: no file is left behind."""
        self._make_home()
        handle = os.open(self.home, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                steps.note("Another spillway is setting up here: waiting for it ...")
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _make_home(self) -> None:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FleetError(f"{self.home} cannot be made ({error.strerror}): set XDG_DATA_HOME.") from error

    def install(self, files: Sequence[str], steps: Steps) -> None:
        """Make the packages of these requirement files available. Raises FleetError with what to do."""
        if self.is_installed(files) and self._works():
            return
        _check_room(self.home)
        if not self._works():
            self._create(steps)
        for stamp in self.folder.glob(".spillway-*"):
            stamp.unlink()
        with steps.step("Installing Python packages"):
            self.pip([argument for file in files for argument in ("-r", str(self._root / file))], steps)
        self._stamp(files).write_text(self._hash(files))
        if len(files) > len(RUNTIME):
            self._stamp(RUNTIME).write_text(self._hash(RUNTIME))

    def install_watching(self, steps: Steps) -> None:
        """Make what sends traces and crash reports available, in a folder of its own. Raises FleetError."""
        folder = self.folder / "watching"
        stamp = folder / ".whole"
        if stamp.is_file() and stamp.read_text() == self._hash([WATCHING]):
            return
        shutil.rmtree(folder, ignore_errors=True)
        with steps.step("Installing what sends traces and crash reports"):
            self.pip(["--target", str(folder), "-r", str(self._root / WATCHING)], steps)
        stamp.write_text(self._hash([WATCHING]))

    def is_installed(self, files: Sequence[str]) -> bool:
        stamp = self._stamp(files)
        return stamp.is_file() and stamp.read_text() == self._hash(files)

    def _hash(self, files: Sequence[str]) -> str:
        """Of the requirements and of the Python they are installed for."""
        digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
        for file in files:
            digest.update((self._root / file).read_bytes())
        return digest.hexdigest()

    def _stamp(self, files: Sequence[str]) -> Path:
        return self.folder / f".spillway-{len(files)}"

    def _works(self) -> bool:
        """Whether its Python starts (it is a link to one that may have been removed) and is new enough."""
        configuration = self.folder / "pyvenv.cfg"
        return configuration.is_file() and os.path.exists(self.python) and self._has_pip()

    def _has_pip(self) -> bool:
        return any(self.folder.glob("lib/python3.*/site-packages/pip/__main__.py"))

    def _create(self, steps: Steps) -> None:
        if importlib.util.find_spec("ensurepip") is None:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            raise FleetError(
                f"This Python has no ensurepip: install it (Debian: apt install python{version}-venv), then try again."
            )
        with steps.step("Creating .venv"):
            argv = [sys.executable, "-m", "venv", "--clear", str(self.folder)]
            code, lines = run_shown(argv, cwd=self.home, show=steps.progress)
            if code != 0 or not self._works():
                shutil.rmtree(self.folder, ignore_errors=True)
                raise FleetError(_explain("The Python environment could not be created", lines, self.home))

    def pip(self, arguments: Sequence[str], steps: Steps) -> None:
        argv = [
            str(self.python),
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
            *arguments,
        ]
        code, lines = run_shown(argv, cwd=self.home, show=steps.progress)
        if code != 0:
            raise FleetError(_explain("Python packages could not be installed", lines, self.home))


def _check_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _ROOM_BYTES:
        raise FleetError(
            f"Only {free // 2**20} MiB are free on the disk of {folder}: "
            f"installing needs {_ROOM_BYTES // 2**20} MiB. Make room, then run this again."
        )


_NETWORK_WORDS = (
    "Failed to establish", "Temporary failure in name", "ConnectionError", "getaddrinfo", "connection broken by",
    "ReadTimeout", "ConnectTimeout", "ENOTFOUND", "ETIMEDOUT", "ECONNREFUSED", "EAI_AGAIN", "(from versions: none)",
)  # fmt: skip


def _explain(what: str, lines: Sequence[str], home: Path) -> str:
    """One line: what failed, why as far as it can be told, and what to do."""
    text = "\n".join(lines)
    if "No space left on device" in text or "ENOSPC" in text:
        return f"{what}: the disk of {home} is full. Make room, then run this again."
    if any(word in text for word in _NETWORK_WORDS):
        return f"{what}: the package registry cannot be reached. Check the network, then run this again."
    return f"{what}: {_first_error(lines)} Run this again once that is mended."


_ERROR_WORDS = ("error", "npm error", "npm err")
# Lines of npm that say nothing to a person, before and after the one that does.
_SAYS_NOTHING = re.compile(
    r"npm err(or|!)(\s*$|\s+(code|errno|syscall|path)\s|.*\bcomplete log of this run)", re.I
)


def _first_error(lines: Sequence[str]) -> str:
    errors = [line for line in lines if line.lower().startswith(_ERROR_WORDS)]
    telling = [line for line in errors if not _SAYS_NOTHING.match(line)] or errors
    others = [line for line in reversed(lines) if line.strip()]
    found = (telling or others or ["no reason was given"])[0]
    return found if found.endswith(".") else found + "."


explain = _explain
