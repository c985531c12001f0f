"""Owns the code of the releases that an embedded fleet runs: a copy each, so that the checkout may change meanwhile.

An instance that is started again runs what it ran before, whatever has been pulled or edited meanwhile; and going back
to the release before is possible.
"""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from deploy.fleet.bootstrap.environment import WATCHING, Environment
from deploy.fleet.bootstrap.frontend import Frontend
from deploy.fleet.bootstrap.steps import Steps
from deploy.fleet.checkout import ROOT, home
from deploy.fleet.errors import ReleaseError
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.release import release_of, revision_of

# What instances, workers and commands run from; the rest of a checkout is for people.
_PARTS = (
    "apps",
    "project",
    "deploy",
    "templates",
    "static",
    "frontend",
    "locale",
    "manage.py",
    "requirements.txt",
    "pyproject.toml",
)
_LEFT_OUT = shutil.ignore_patterns("tests", "node_modules", ".git")
_NAME = re.compile(r"[\w.+-]{1,64}")
# Written last: a folder without it is half a copy.
_WHOLE = ".whole"
_KEPT = 5


def code_of(folder: DataFolder, release: str) -> Path:
    """Where the code of a release lies, or would lie."""
    return folder.releases / release


def python_of(code: Path) -> Path:
    """The interpreter with the packages that this code needs."""
    own = code / ".venv" / "bin" / "python"
    return own if own.exists() else Path(sys.executable)


def is_kept(folder: DataFolder, release: str) -> bool:
    return bool(_NAME.fullmatch(release)) and (code_of(folder, release) / _WHOLE).is_file()


def keep_checkout(folder: DataFolder, release: str) -> None:
    """Copy the code of this checkout, unless exactly this was copied under this name before."""
    _check_name(release)
    mark = _mark()
    whole = code_of(folder, release) / _WHOLE
    if whole.is_file() and whole.read_text(encoding="utf-8") == mark:
        return
    unfinished = _unfinished(folder, release)
    for part in _PARTS:
        source = ROOT / part
        if source.is_dir():
            # With the times of the files: bytecode beside them stays good, and so do the assets that were collected.
            shutil.copytree(source, unfinished / part, ignore=_LEFT_OUT)
        elif source.exists():
            shutil.copy2(source, unfinished / part)
    _finish(folder, release, unfinished, mark)


def fetch(folder: DataFolder, release: str | None) -> str:
    """Make a release startable: this checkout's code (None), one that is kept here, or any revision that git knows."""
    own = os.environ.get("RELEASE") or release_of(ROOT)
    if release is None or release == own:
        keep_checkout(folder, own)
        return own
    if is_kept(folder, release):
        return release
    name = _revision(release)
    if name is None:
        kept = ", ".join(
            sorted(path.name for path in folder.releases.iterdir() if is_kept(folder, path.name))
        )
        raise ReleaseError(
            f"There is no release {release!r}: git knows no such revision. Kept here: {kept or 'none'}."
        )
    if not is_kept(folder, name):
        _keep_revision(folder, name)
    return name


def _check_name(release: str) -> None:
    if not _NAME.fullmatch(release) or release.startswith("."):
        raise ReleaseError(f"{release!r} cannot be the name of a release: letters, digits and . _ + - only.")


def _revision(text: str) -> str | None:
    done = _git("rev-parse", "--short=10", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    return None if done is None else done.decode().strip()


def _git(*arguments: str) -> bytes | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _keep_revision(folder: DataFolder, name: str) -> None:
    archive = _git("archive", "--format=tar", name)
    if archive is None:
        raise ReleaseError(f"git could not give the files of {name}.")
    unfinished = _unfinished(folder, name)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(unfinished, filter="data")
    _build(unfinished)
    _finish(folder, name, unfinished, f"revision {name}")


def _build(code: Path) -> None:
    """What git does not hold: the front end, and packages if this code needs others than the checkout."""
    steps = Steps()
    if (ROOT / "static" / "build").is_dir():
        shutil.copytree(ROOT / "static" / "build", code / "static" / "build", dirs_exist_ok=True)
    Frontend(Environment(home()), root=code).build(steps)
    if _hash(code / "requirements.txt") != _hash(ROOT / "requirements.txt"):
        own = Environment(code, root=code)
        own.install(("requirements.txt",), steps)
        # Where the checkout's instances send traces, this release's will.
        if (Environment(home()).folder / "watching").is_dir() and (code / WATCHING).is_file():
            own.install_watching(steps)


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _unfinished(folder: DataFolder, release: str) -> Path:
    made = folder.releases / f".{release}.{os.getpid()}"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(mode=0o700, parents=True)
    return made


def _finish(folder: DataFolder, release: str, unfinished: Path, mark: str) -> None:
    """In one step, so that nobody starts half a release. What ran under this name before keeps its open files."""
    (unfinished / _WHOLE).write_text(mark, encoding="utf-8")
    target = code_of(folder, release)
    old = folder.releases / f".old.{release}.{os.getpid()}"
    with suppress(FileNotFoundError):
        target.rename(old)
    unfinished.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _mark() -> str:
    """Tells two states of the checkout apart; without git nothing does, and it is copied each time."""
    built = ROOT / "static" / "build" / ".sources"
    front_end = built.read_text(encoding="utf-8") if built.is_file() else ""
    return f"{revision_of(ROOT) or os.urandom(8).hex()} {front_end}"


def forget_old(folder: DataFolder, needed: Iterable[str]) -> None:
    """Remove copies beyond the newest few, but for those that are still needed."""
    keep = set(needed)
    copies = sorted(
        (path for path in folder.releases.iterdir() if is_kept(folder, path.name)),
        key=lambda path: (path / _WHOLE).stat().st_mtime,
        reverse=True,
    )
    for path in copies[_KEPT:]:
        if path.name not in keep:
            shutil.rmtree(path, ignore_errors=True)
