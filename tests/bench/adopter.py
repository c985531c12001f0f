"""Owns the least that a server could do with a chunk that nginx has written into a file: move it, make it durable, and
say so. No lease, no database, no check of who asks: what is measured here is the most that this way could give.

A WSGI application, served by gunicorn with threads as instances are. ADOPTED_ROOT is its folder.
"""

import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

_ROOT = Path(os.environ.get("ADOPTED_ROOT", "."))
_PREFIX = "/adopted/files"
Answer = Callable[[str, list[tuple[str, str]]], object]


def application(environ: Mapping[str, Any], start_response: Answer) -> Iterable[bytes]:
    """POST makes an upload, HEAD tells its offset, PATCH comes without its body: nginx has it in a file."""
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if method == "POST":
        name = uuid.uuid4().hex
        (_ROOT / name).mkdir()
        start_response("201 Created", [("Location", f"{_PREFIX}/{name}"), ("Content-Length", "0")])
    elif method == "HEAD":
        offset = sum(part.stat().st_size for part in _folder(path).iterdir())
        start_response("200 OK", [("Upload-Offset", str(offset)), ("Content-Length", "0")])
    elif method == "PATCH":
        offset = _adopt(environ, _folder(path))
        start_response("204 No Content", [("Upload-Offset", str(offset))])
    else:
        start_response("404 Not Found", [("Content-Length", "0")])
    return []


def _folder(path: str) -> Path:
    return _ROOT / uuid.UUID(hex=path.rpartition("/")[2]).hex


def _adopt(environ: Mapping[str, Any], folder: Path) -> int:
    """As durable as a part of ours: the bytes, then the name, then the folder that holds it."""
    written = Path(environ["HTTP_X_BODY_FILE"])
    offset, size = int(environ["HTTP_UPLOAD_OFFSET"]), written.stat().st_size
    if size != int(environ["HTTP_X_BODY_LENGTH"]):
        raise ValueError("the file is not as long as the body was")
    _sync(written, os.O_RDONLY)
    written.rename(folder / str(offset))
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)
    return offset + size


def _sync(path: Path, flags: int) -> None:
    fd = os.open(path, flags)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
