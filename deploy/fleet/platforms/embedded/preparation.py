"""Owns whether database and assets must be made fit for this code before instances start. Runs nothing.

Finding out the thorough way costs a whole interpreter with the site in it, at every start. Where git tells exactly
which code this is, and the same code was prepared here before, there is nothing to do.
"""

import hashlib
import sys
from contextlib import suppress

from deploy.fleet.checkout import ROOT
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.platforms.embedded.release import revision_of
from deploy.fleet.storage import write_atomically

_BUILT_FROM = ROOT / "static" / "build" / ".sources"


def fingerprint(release: str, store: str) -> str | None:
    """Everything that decides what preparing would do; None if that cannot be told."""
    revision = revision_of(ROOT)
    if revision is None or not _BUILT_FROM.is_file():
        return None
    parts = [revision, release, store, _BUILT_FROM.read_text(encoding="utf-8"), str(sys.version_info[:2])]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def is_prepared(folder: DataFolder, found: str | None) -> bool:
    return (
        found is not None
        and folder.prepared.is_file()
        and folder.prepared.read_text(encoding="utf-8") == found
    )


def remember(folder: DataFolder, found: str | None) -> None:
    if found is not None:
        with suppress(OSError):
            write_atomically(folder.prepared, found)


def forget(folder: DataFolder) -> None:
    """After a start that failed, or for a new database: look the thorough way next time."""
    folder.prepared.unlink(missing_ok=True)
