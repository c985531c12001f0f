"""Owns the name of the code that an embedded fleet runs. Reads git or pyproject.toml; changes nothing."""

import hashlib
import subprocess
import tomllib
from pathlib import Path


def release_of(checkout: Path) -> str:
    """`<short revision>`, `<short revision>-dirty-<hash of the changes>`, or the version without git."""
    return revision_of(checkout) or _version(checkout)


def revision_of(checkout: Path) -> str | None:
    """The same, or None without git: only a revision tells two states of the code apart."""
    revision = _git(checkout, "rev-parse", "--short=10", "HEAD")
    if revision is None:
        return None
    changes = _changes(checkout)
    return f"{revision}-dirty-{changes}" if changes else revision


def _git(checkout: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(checkout), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _changes(checkout: Path) -> str:
    """A short hash of everything uncommitted, "" if there is nothing."""
    status = _git(checkout, "status", "--porcelain")
    if not status:
        return ""
    digest = hashlib.sha256((_git(checkout, "diff", "HEAD") or status).encode())
    for name in (_git(checkout, "ls-files", "--others", "--exclude-standard") or "").splitlines():
        digest.update(name.encode())
        file = checkout / name
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:8]


def _version(checkout: Path) -> str:
    try:
        return str(tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return "unknown"
