"""Owns the pure decisions of the tus protocol: headers, metadata, when to commit. No I/O, stdlib only.

Protocol: https://tus.io/protocols/resumable-upload (1.0.0).
"""

import base64
import re
from dataclasses import dataclass
from enum import StrEnum

TUS_VERSION = "1.0.0"
EXTENSIONS = ("creation", "creation-with-upload", "termination", "expiration")
CHUNK_TYPE = "application/offset+octet-stream"
METADATA_MAX_CHARACTERS = 32_768
NAME_MAX_CHARACTERS = 255
_METADATA_KEY = re.compile(r"[!-+\--~]+")  # visible ASCII without the comma
_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")  # not \d: that has the digits of every script
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Pause(StrEnum):
    """Why a request stops appending."""

    COMPLETE = "complete"  # the whole body arrived
    CLIENT_GONE = "client_gone"  # the connection ended before the body did
    IDLE = "idle"  # no byte for too long
    WANTED = "wanted"  # another request waits for the lease
    DRAINING = "draining"  # this instance stops
    TOO_LONG = "too_long"  # the body holds more than the upload has room for


@dataclass(frozen=True)
class Metadata:
    """What a client says of a file. `transfer_secret` is never stored."""

    name: str = ""
    type: str = ""
    sha256: str = ""
    transfer_secret: str = ""
    # Everything but the secret, as sent, so that a HEAD can give it back.
    raw: str = ""


class MetadataError(ValueError):
    """The metadata header breaks the protocol or names an impossible file; the text is fit for clients."""


def whole_number(raw: str | None) -> int | None:
    """A header's non-negative integer below 10^18, or None for anything else."""
    return int(raw) if raw is not None and _WHOLE_NUMBER.fullmatch(raw) else None


def is_beyond_counting(raw: str | None) -> bool:
    """Whether a header is a number, but one with more digits than any file has bytes."""
    return raw is not None and raw.isascii() and raw.isdigit() and whole_number(raw) is None


def parse_metadata(header: str) -> Metadata:
    """Read `Upload-Metadata`: comma-separated `key base64(value)` pairs. Raises MetadataError."""
    if len(header) > METADATA_MAX_CHARACTERS:
        raise MetadataError("Upload-Metadata is too long.")
    pairs: dict[str, str] = {}
    for item in filter(None, (part.strip(" \t") for part in header.split(","))):
        key, value = _pair(item)
        if key in pairs:
            raise MetadataError(f"Upload-Metadata names {key!r} twice.")
        pairs[key] = value
    return _metadata(header, pairs)


def _pair(item: str) -> tuple[str, str]:
    key, _, encoded = item.partition(" ")
    if not _METADATA_KEY.fullmatch(key):
        raise MetadataError("Upload-Metadata has a key that is not plain ASCII.")
    try:
        return key, base64.b64decode(encoded.strip(" \t"), validate=True).decode("utf-8")
    except ValueError:  # not base64, not UTF-8, or not even ASCII
        raise MetadataError(f"Upload-Metadata's {key!r} is not base64 of UTF-8 text.") from None


def _metadata(header: str, pairs: dict[str, str]) -> Metadata:
    name = pairs.get("filename") or pairs.get("name") or ""
    if problem := name_problem(name):
        raise MetadataError(problem)
    sha256 = pairs.get("sha256", "").lower()
    if sha256 and not _SHA256.fullmatch(sha256):
        raise MetadataError("sha256 must be 64 hexadecimal digits.")
    file_type = pairs.get("filetype") or pairs.get("type") or ""
    return Metadata(
        name=name,
        type=_CONTROL.sub("", file_type)[:200],
        sha256=sha256,
        transfer_secret=pairs.get("transfer", ""),
        raw=without_secret(header),
    )


def without_secret(header: str) -> str:
    """The metadata header without the sender's secret."""
    items = [item.strip(" \t") for item in header.split(",")]
    return ",".join(item for item in items if item and item.split(" ", 1)[0] != "transfer")


def name_problem(name: str) -> str | None:
    """Why this cannot be a file's name, in words for the client; None when it can.

    Quotes, unusual scripts and invisible marks are no problem here: they are cleaned or encoded where the name is
    shown (apps.transfers.rules.clean_name).
    """
    if not name.strip():
        return "Upload-Metadata has no filename."
    if len(name) > NAME_MAX_CHARACTERS:
        return f"The file's name is longer than {NAME_MAX_CHARACTERS} characters."
    if _CONTROL.search(name):
        return "The file's name has a control character in it."
    if "/" in name or name in {".", ".."}:
        return "The file's name has a folder in it; send only the name."
    return None


def part_key(offset: int, token_hex: str) -> str:
    """A part's name in its upload's staging folder: no two holders ever write to the same one."""
    return f"{offset}-{token_hex}"


def commit_due(pending_bytes: int, age_seconds: float, *, commit_bytes: int, commit_seconds: float) -> bool:
    """Whether what has arrived must be made durable now."""
    return pending_bytes >= commit_bytes or (pending_bytes > 0 and age_seconds >= commit_seconds)


def waiting_slots(threads: int) -> int:
    """How many requests of one process may wait for another's lease: waiting costs a thread."""
    return max(1, threads // 8)


def room_left(length: int, offset: int) -> int:
    """Bytes that an upload still takes."""
    return max(0, length - offset)


def upload_slots(threads: int, share: float) -> int:
    """How many uploads one process may carry at once, so that pages always find a free thread."""
    return max(1, min(threads - 1, int(threads * share)))
