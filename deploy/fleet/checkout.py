"""Owns where this copy of the source lies and where what is made from it goes. Creates nothing."""

import hashlib
import os
from pathlib import Path

from deploy.fleet.errors import FleetError

ROOT = Path(__file__).resolve().parents[2]


def home() -> Path:
    """The folder for `.venv` and `.spillway`: the checkout, or one of the user's own if that is read-only."""
    if os.access(ROOT, os.W_OK | os.X_OK):
        return ROOT
    return _users_data_folder() / "spillway" / hashlib.sha256(bytes(ROOT)).hexdigest()[:12]


def _users_data_folder() -> Path:
    given = os.environ.get("XDG_DATA_HOME")
    return Path(given) if given else _users_home() / ".local" / "share"


def _users_home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise FleetError(
            f"Your user number {os.geteuid()} has no name and no home here: set HOME to a folder you can write."
        ) from None


def default_data_folder() -> Path:
    """`$SPILLWAY_DATA`, else `.spillway` in the home."""
    given = os.environ.get("SPILLWAY_DATA")
    return Path(given).expanduser().absolute() if given else home() / ".spillway"
