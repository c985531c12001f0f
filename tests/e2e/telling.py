"""Owns what no log may tell of a fleet: its own secrets, and what opens anything that was made on it. Reads only."""

import json
from pathlib import Path

import psycopg

from tests.e2e.fleet import Fleet

_SECRET_SETTINGS = ("SECRET_KEY", "DOWNLOAD_KEY", "DATABASE_URL", "REDIS_URL", "S3_SECRET_KEY")
_OPENS = """
SELECT token FROM transfers_transfer
UNION ALL SELECT id::text FROM uploads_upload
UNION ALL SELECT replace(id::text, '-', '') FROM uploads_upload
UNION ALL SELECT session_key FROM django_session
"""


def logs_of(fleet: Fleet) -> dict[Path, str]:
    """Every log there is, by its file. Letters are none: Django names their files as if they were."""
    letters = fleet.data / "mail"
    found = [path for path in fleet.data.rglob("*.log*") if path.is_file() and path.parent != letters]
    return {path: path.read_text(errors="replace") for path in found}


def secrets_of(fleet: Fleet) -> set[str]:
    """The fleet's own: keys and passwords, as its processes are told them."""
    told = [fleet.environment.get(name, "") for name in _SECRET_SETTINGS]
    kept = json.loads((fleet.data / "secrets.json").read_text())
    hidden = {value for name, value in kept.items() if not name.endswith("superuser")}
    return {one for one in [*told, *hidden, (fleet.data / "admin-password").read_text().strip()] if one}


def capabilities_of(fleet: Fleet) -> set[str]:
    """What is in the database and opens something to whoever knows it."""
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        return {str(found) for (found,) in database.execute(_OPENS).fetchall()}


def lines_that_tell(fleet: Fleet, kept: set[str]) -> list[str]:
    """The lines of any log that hold any of these; each once, with its file."""
    found = []
    for path, text in logs_of(fleet).items():
        if any(one in text for one in kept):
            found += [
                f"{path.name}: {line[:500]}" for line in text.splitlines() if any(one in line for one in kept)
            ]
    return found


def expect_silence(fleet: Fleet) -> None:
    """Stop a fleet; whatever its tests did, no log tells its secrets or what opens something."""
    kept = secrets_of(fleet) | capabilities_of(fleet)
    fleet.down()
    told = lines_that_tell(fleet, kept)
    assert not told, "\n".join(told)
