"""Owns how the answer of `manage.py check_migrations --json` is read. Pure."""

import json

from deploy.fleet.errors import ReleaseError

_GOOD = 0
_REFUSED = 3


def refusals_told(release: str, code: int, said: str) -> list[str]:
    """Why the release's migrations are refused, a line each. Raises ReleaseError if the check itself failed."""
    lines = [line for line in said.splitlines() if line.startswith("{")]
    if code not in {_GOOD, _REFUSED} or not lines:
        raise ReleaseError(f"The migrations of {release} could not be checked: {last_line(said)}")
    return [str(line) for line in json.loads(lines[-1])["refusals"]]


def last_line(said: str) -> str:
    """The last thing a program said, for people."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing."
