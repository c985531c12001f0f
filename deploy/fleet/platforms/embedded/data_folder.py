"""Owns what lies where in the data folder, and whether it can be used at all. Starts nothing."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.fleet.accounts import user_name
from deploy.fleet.errors import DataFolderError

FREE_BYTES_MIN = 256 * 2**20
_FOLDERS = (
    "store",
    "store/staging",
    "store/assembly",
    "store/blobs",
    "static",
    "redis",
    "nginx",
    "traefik",
    "traefik/dynamic",
    "run",
    "logs",
    "mail",
    "releases",
)
_UNSAFE = re.compile(r"[\"'\\$`{};\n\r\0]")


@dataclass(frozen=True)
class DataFolder:
    """Paths below `root`; all of them private to the operator but `store` and `static`'s contents."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def desired(self) -> Path:
        return self.root / "desired.json"

    @property
    def desired_lock(self) -> Path:
        return self.root / "desired.lock"

    @property
    def fleet_lock(self) -> Path:
        """Held by whoever exchanges or scales instances."""
        return self.root / "fleet.lock"

    @property
    def releases(self) -> Path:
        """The code of every release that runs or ran here, in a folder each."""
        return self.root / "releases"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets.json"

    @property
    def admin_password(self) -> Path:
        return self.root / "admin-password"

    @property
    def greeted(self) -> Path:
        """There once the admin's password has been shown."""
        return self.root / "greeted"

    @property
    def prepared(self) -> Path:
        """Which code database and assets were last made fit for."""
        return self.root / "prepared"

    @property
    def database_place(self) -> Path:
        """Names the folder that PostgreSQL's data lies in."""
        return self.root / "database-place"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def lock(self) -> Path:
        return self.root / "supervisor.lock"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def static(self) -> Path:
        return self.root / "static"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def mail(self) -> Path:
        """Where letters are written that nobody said where to send."""
        return self.root / "mail"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def run(self, name: str) -> Path:
        """A unit's private folder, made if it is missing."""
        folder = self.root / "run" / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def prepare(self) -> None:
        """Create what is missing. Raises DataFolderError, in words, if the folder cannot be used."""
        check_path(self.root)
        check_room(self.root)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            # As root, PostgreSQL runs as `nobody`: it must pass through here, but read nothing.
            self.root.chmod(0o711 if os.geteuid() == 0 else 0o700)
            for name in _FOLDERS:
                (self.root / name).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise DataFolderError(_cannot_use(self.root, error)) from error


def _cannot_use(root: Path, error: OSError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{error.filename or root} is not a folder: choose another with --data."
    return f"The data folder {root} cannot be written ({error.strerror}): choose another with --data."


def check_owner(root: Path) -> None:
    """A folder that is not ours must not look like one in which nothing runs. Raises DataFolderError."""
    try:
        owner = root.stat().st_uid
    except PermissionError as error:
        raise DataFolderError(
            f"The data folder {root} cannot be reached by you: choose another with --data, or ask its owner."
        ) from error
    except OSError:
        return
    if os.geteuid() not in {0, owner}:
        raise DataFolderError(
            f"The data folder {root} belongs to {user_name(owner)}: run this as that user, or choose another."
        )


def check_path(root: Path) -> None:
    """Some characters cannot be quoted safely in every configuration file that names the folder."""
    if _UNSAFE.search(str(root)):
        raise DataFolderError(
            f"The data folder's path has an unusual character in it: choose another ({str(root)!r})."
        )


def check_room(root: Path) -> None:
    """Before anything is made: of the disk that the folder is on, or will be."""
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < FREE_BYTES_MIN:
        raise DataFolderError(
            f"Only {free_bytes // 2**20} MiB are free on the disk of {root}: "
            f"make room (at least {FREE_BYTES_MIN // 2**20} MiB) or choose another folder with --data."
        )
