"""Owns what root must put where `nobody` can reach it: PostgreSQL's folder and a copy of its programs.

Used only when the data folder or the packages lie below a folder that is closed to others, such as /root.
"""

import hashlib
import os
import secrets
import shutil
import stat
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path

from deploy.fleet.processes import Account

BASE = Path("/var/lib/spillway")


def reachable(folder: Path, user: Account) -> bool:
    """Whether the account may pass through every folder down to this one."""
    return all(_may_enter(part, user) for part in (folder, *folder.parents))


def _may_enter(folder: Path, user: Account) -> bool:
    found = folder.stat()
    if found.st_uid == user.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == user.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


@cache
def runs(program: Path, user: Account) -> bool:
    """Whether the account can start this program: tried, because modes alone do not tell."""
    try:
        return not subprocess.run(
            [str(program), "--version"], user=user.uid, group=user.gid, extra_groups=[], cwd="/",
            capture_output=True, timeout=20, check=False,
        ).returncode  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False


def folder_for(data: Path, *, known: bool) -> Path:
    """A folder below /var/lib/spillway for this data folder. `known`: it has a database, which lies there already."""
    _make_base()
    name = hashlib.sha256(bytes(data)).hexdigest()[:16]
    folder = BASE / name
    if not known and folder.exists():
        # What a data folder of the same path left behind is not ours to use, and not ours to delete.
        folder = BASE / f"{name}-{secrets.token_hex(4)}"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    (folder / "belongs-to").write_text(str(data), encoding="utf-8")
    return folder


def _make_base() -> None:
    BASE.mkdir(parents=True, exist_ok=True)
    # Set, not asked for at the making: the operator's umask may be 077.
    BASE.chmod(0o755)


def forget_old_programs() -> None:
    """Remove copies of packages that are gone. Databases are never removed: their owner may only be out of sight."""
    for note in BASE.glob("programs-*/belongs-to"):
        with suppress(OSError):
            if (
                not Path(note.read_text(encoding="utf-8")).exists()
                and not (note.parent / "postgres").exists()
            ):
                shutil.rmtree(note.parent, ignore_errors=True)


def copy_of_package(package: Path, parts: tuple[str, ...]) -> Path:
    """A copy of these folders of a package (and of the libraries beside it) that everybody can read."""
    stamp = hashlib.sha256(f"{package}{package.stat().st_mtime_ns}".encode()).hexdigest()[:16]
    copy = BASE / f"programs-{stamp}"
    if not copy.is_dir():
        _make_base()
        forget_old_programs()
        _copy(package, parts, copy)
    return copy / package.name


def _copy(package: Path, parts: tuple[str, ...], copy: Path) -> None:
    unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
    for part in parts:
        shutil.copytree(package / part, unfinished / package.name / part, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
    (unfinished / "belongs-to").write_text(str(package), encoding="utf-8")
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(
                path.stat().st_mode | 0o444 | (0o111 if path.is_dir() or os.access(path, os.X_OK) else 0)
            )
    try:
        unfinished.rename(copy)
    except OSError:
        # Another process was first with the same copy.
        shutil.rmtree(unfinished, ignore_errors=True)


def make_private(folder: Path, user: Account | None) -> None:
    """A folder that only this account can open."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if user is not None:
        os.chown(folder, user.uid, user.gid)


def write_private(file: Path, text: str, user: Account | None) -> None:
    file.unlink(missing_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as opened:
        opened.write(text)
    if user is not None:
        os.chown(file, user.uid, user.gid)
