"""Owns the generated secrets of an embedded fleet: made once, kept in files only the operator can read."""

import secrets
from dataclasses import dataclass

from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.storage import read_json, write_atomically, write_json

_NAMES = (
    "secret_key",
    "download_key",
    "postgres_superuser",
    "postgres_password",
    "redis_password",
    "s3_access_key",
    "s3_secret_key",
)


@dataclass(frozen=True)
class Credentials:
    """All of them URL-safe text without padding, so that they can stand in addresses and configuration files."""

    secret_key: str
    download_key: str
    postgres_superuser: str
    postgres_password: str
    redis_password: str
    s3_access_key: str
    s3_secret_key: str
    admin_password: str
    # True only in the process that made the password: it is the one that shows it.
    admin_password_is_new: bool = False


def load_or_create(folder: DataFolder) -> Credentials:
    """The secrets of this folder. What is missing is made; what is there is never replaced."""
    known = read_json(folder.secrets)
    complete = {name: known.get(name) or secrets.token_urlsafe(48) for name in _NAMES}
    if complete != known:
        write_json(folder.secrets, complete)
    password, is_new = _admin_password(folder)
    return Credentials(**complete, admin_password=password, admin_password_is_new=is_new)


def _admin_password(folder: DataFolder) -> tuple[str, bool]:
    if folder.admin_password.exists():
        return folder.admin_password.read_text(encoding="utf-8").strip(), False
    password = secrets.token_urlsafe(12)
    write_atomically(folder.admin_password, password + "\n")
    return password, True
