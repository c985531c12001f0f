"""Owns where PostgreSQL's folder lies: chosen once, noted in the data folder, obeyed from then on. Deletes nothing.

A database that is not where it should be is told, never replaced by an empty one.
"""

import shutil
from pathlib import Path

from deploy.fleet.errors import StartError
from deploy.fleet.platforms.embedded import elsewhere
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.processes import Account
from deploy.fleet.storage import write_atomically

NAME = "postgres"


def place_for(folder: DataFolder, user: Account | None) -> Path:
    """Where this folder's database lies, or will lie from now on. Raises StartError if it is out of reach or gone."""
    place = noted(folder)
    if place is None:
        place = _choose(folder, user)
        # Relative while it lies inside: both may be moved together.
        inside = place.is_relative_to(folder.root)
        write_atomically(folder.database_place, str(place.relative_to(folder.root) if inside else place))
    _check_there(folder, place)
    _check_reachable(folder, place, user)
    return place


def noted(folder: DataFolder) -> Path | None:
    try:
        text = folder.database_place.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    return folder.root / text if text else None


def forget(folder: DataFolder) -> None:
    """Remove a database that was put elsewhere, and its note. For data that nobody will miss."""
    place = noted(folder)
    if place is not None and place.is_relative_to(elsewhere.BASE):
        shutil.rmtree(place.parent, ignore_errors=True)
        folder.database_place.unlink(missing_ok=True)


def _choose(folder: DataFolder, user: Account | None) -> Path:
    inside = folder.root / NAME
    if user is None or (inside / "data").is_dir() or elsewhere.reachable(folder.root, user):
        return inside
    return elsewhere.folder_for(folder.root, known=_was_used(folder)) / NAME


def _was_used(folder: DataFolder) -> bool:
    return folder.greeted.exists() or folder.prepared.exists()


def _check_there(folder: DataFolder, place: Path) -> None:
    if _was_used(folder) and not (place / "data").is_dir():
        raise StartError(
            f"The database of {folder.root} should lie in {place}, but it is not there: bring it back (a disk that "
            "is not mounted, a backup), or choose another data folder with --data."
        )


def _check_reachable(folder: DataFolder, place: Path, user: Account | None) -> None:
    inside = place.is_relative_to(folder.root)
    if user is not None and inside and not elsewhere.reachable(folder.root, user):
        raise StartError(
            f"The database lies in {place}, where PostgreSQL's account (nobody) cannot go: move {folder.root} out of "
            "the closed folder, or let others pass through it."
        )
