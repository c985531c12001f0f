"""Owns reading and changing a Compose `.env` file in place. Decides on no value.

Only what is asked for changes: comments, order, everything else and the file's mode and owner stay as they are.
"""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from deploy.fleet.storage import PRIVATE, write_atomically

_LINE = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)")
# These need no quotes, whichever of the programs reads them.
_PLAIN = re.compile(r"[\w.:/@%+,=-]*")


def read(path: Path) -> dict[str, str]:
    """What the file sets; {} if there is none. As in Compose, the last line of a name counts."""
    return {name: _value(text) for name, text in map(_parsed, _lines(path)) if name}


def update(path: Path, values: Mapping[str, str | int]) -> None:
    """Set these in one step; a reader sees all of them or none. What is not there yet comes at the end."""
    lines = _lines(path)
    for name, value in values.items():
        line = f"{name}={_written(name, str(value))}"
        places = [number for number, text in enumerate(lines) if _parsed(text)[0] == name]
        if places:
            lines[places[-1]] = line
        else:
            lines.append(line)
    write(path, "\n".join(lines) + "\n")


def write(path: Path, text: str) -> None:
    """Replace the file; a new one is its owner's alone. A link stays one."""
    target = path.resolve()
    if not target.exists():
        write_atomically(target, text, PRIVATE)
        return
    before = target.stat()
    write_atomically(target, text, before.st_mode & 0o7777)
    # Root, say, who runs the tool in somebody's checkout: the file stays theirs.
    with suppress(PermissionError):
        os.chown(target, before.st_uid, before.st_gid)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def _parsed(line: str) -> tuple[str | None, str]:
    found = _LINE.fullmatch(line)
    return (found["name"], found["value"]) if found else (None, "")


def _value(text: str) -> str:
    """Without quotes and without a comment behind it."""
    text = text.strip()
    if quoted := re.match(r"'(?P<single>[^']*)'|\"(?P<double>(?:[^\"\\]|\\.)*)\"", text):
        if quoted["single"] is not None:
            return quoted["single"]
        return re.sub(r"\\(.)", r"\1", quoted["double"])
    return re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()


def _written(name: str, value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    # Single quotes: nothing in them is filled in or escaped.
    if "'" in value or "\n" in value or "\r" in value:
        raise ValueError(f"{name} has a character that cannot stand in an environment file")
    return f"'{value}'"
