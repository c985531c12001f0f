"""Owns small files that are written whole or not at all. Knows nothing of what is in them."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

PRIVATE = 0o600


def write_atomically(path: Path, text: str, mode: int = PRIVATE) -> None:
    """Replace `path` in one step: a reader, or a crash, sees the old text or the new one."""
    # The temporary name ends in neither .yml nor .json, so that no watcher of the folder takes it for a file.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any, mode: int = PRIVATE) -> None:
    write_atomically(path, json.dumps(value, indent=1) + "\n", mode)


def read_json(path: Path) -> dict[str, Any]:
    """The object in `path`; {} if there is none, or none that can be read: such files can be made again."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
