"""Owns the pure decisions about processing: when to try again, when to give up, what is made of which type, and the
names in an archive. Plain Python.
"""

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

MOST_ATTEMPTS = 20
SNIFF_BYTES = 64 * 2**10
_LONGEST_PAUSE_SECONDS = 60.0


class ArchiveState(StrEnum):
    """Where an archive is on its way: `waiting -> making -> ready`, or `failed` with a reason."""

    WAITING = "waiting"
    MAKING = "making"
    READY = "ready"
    FAILED = "failed"


class PreviewState(StrEnum):
    """Where what is made to look at is on its way: `waiting -> ready`, or `failed` with a reason."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"


class PreviewKind(StrEnum):
    """What one preview shows."""

    THUMBNAIL = "thumbnail"
    PICTURE = "picture"
    PAGE = "page"
    TEXT = "text"
    LISTING = "listing"


MOST_PREVIEW_ATTEMPTS = 8
MOST_ARCHIVE_ATTEMPTS = 5
_PICTURES = frozenset(
    {
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "image/bmp",
        "image/x-ms-bmp",
        "image/tiff",
        "image/avif",
    }
)
_TEXTS = frozenset(
    {
        "application/javascript",
        "application/json",
        "application/x-sh",
        "application/xml",
        "image/svg+xml",  # as its source: it may hold scripts
    }
)
_ZIPS = frozenset({"application/zip", "application/java-archive", "application/vnd.android.package-archive"})


def preview_task(content_type: str) -> str | None:
    """What a worker makes of bytes of this type: `picture`, `pages`, `text`, `listing`, or nothing."""
    if content_type in _PICTURES:
        return "picture"
    if content_type == "application/pdf":
        return "pages"
    if content_type in _ZIPS:
        return "listing"
    return "text" if content_type.startswith("text/") or content_type in _TEXTS else None


def archive_digest(file_ids: Iterable[uuid.UUID]) -> str:
    """What tells one choice of files from another, whatever their order."""
    return hashlib.sha256(b"".join(sorted(file_id.bytes for file_id in file_ids))).hexdigest()


def archive_paths(files: Sequence[tuple[str, str]]) -> Iterator[str]:
    """A path in an archive for each (folder, name), all different, also where upper and lower case are the same, and
    none the name of a folder: `a/b.txt`, `a/b (2).txt`.
    """
    taken = {step.casefold() for folder, _ in files for step in _steps(folder)}
    for folder, name in files:
        path, number = _joined(folder, name), 1
        while path.casefold() in taken:
            number += 1
            path = _joined(folder, _numbered(name, number))
        taken.add(path.casefold())
        yield path


def _steps(folder: str) -> Iterator[str]:
    """`a/b` -> `a`, `a/b`."""
    parts = folder.split("/") if folder else []
    return ("/".join(parts[: count + 1]) for count in range(len(parts)))


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _numbered(name: str, number: int) -> str:
    stem, dot, extension = name.rpartition(".")
    return f"{stem} ({number}).{extension}" if dot and stem else f"{name} ({number})"


def blob_key(token_hex: str) -> str:
    """Where a blob lies: two levels of folders from its random name. Never from anything a user said."""
    return f"{token_hex[:2]}/{token_hex[2:4]}/{token_hex}"


def gives_up(attempts: int) -> bool:
    """Whether a file that kept killing its workers is refused rather than tried again."""
    return attempts > MOST_ATTEMPTS


def pause_seconds(attempts: int) -> float:
    """How long a file whose store failed waits for the next try: doubling, at most a minute."""
    return float(min(_LONGEST_PAUSE_SECONDS, 2.0 ** min(attempts, 10)))


def renewal_due(age_seconds: float, claim_seconds: float) -> bool:
    """Whether a claim must be renewed now: after a quarter of its life, so three renewals may fail."""
    return age_seconds >= claim_seconds / 4
