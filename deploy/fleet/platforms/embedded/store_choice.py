"""Owns whether a data folder's files may be looked for elsewhere from now on. Moves nothing."""

from collections.abc import Iterator
from pathlib import Path

from deploy.fleet.configuration import STORE_S3
from deploy.fleet.errors import UsageError
from deploy.fleet.platforms.embedded import seaweedfs
from deploy.fleet.platforms.embedded.data_folder import DataFolder


def check_store(folder: DataFolder, before: str, wanted: str) -> None:
    """Raises UsageError if the folder has files in another store than the wanted one: links to them would break."""
    if not before or before == wanted or not any(_files(folder, before)):
        return
    raise UsageError(
        f"The files in {folder.root} are in its store {before!r}, and would not be found in {wanted!r}: "
        f"leave --store out, or choose another folder with --data."
    )


def _files(folder: DataFolder, store: str) -> Iterator[Path]:
    """What was sent and is still there. Removed objects count until SeaweedFS has made use of their room."""
    if store == STORE_S3:
        return seaweedfs.filled_volumes(folder)
    return (
        path for name in ("staging", "blobs") for path in (folder.store / name).rglob("*") if path.is_file()
    )
