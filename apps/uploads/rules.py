"""Owns the pure decisions of the tus protocol: headers, metadata, when to commit. No I/O, stdlib only.

Protocol: https://tus.io/protocols/resumable-upload (1.0.0).
"""

import base64
import hashlib
import re
import uuid
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from urllib.parse import urljoin, urlsplit

TUS_VERSION = "1.0.0"
EXTENSIONS = (
    "creation",
    "creation-with-upload",
    "creation-defer-length",
    "checksum",
    "termination",
    "expiration",
    "concatenation",
)
CHUNK_TYPE = "application/offset+octet-stream"
# Of the IETF's draft, see docs/decisions/0008-one-endpoint-two-protocols.md.
DRAFT_CHUNK_TYPE = "application/partial-upload"
CHECKSUM_MAX_BYTES = (
    64 * 2**20
)  # of one chunk: none of it is kept before all of it has come and been verified
PARTIALS_MAX = 1_000  # that go into one final upload, or wait for theirs in one transfer
METADATA_MAX_CHARACTERS = 32_768
NAME_MAX_CHARACTERS = 255
_METADATA_KEY = re.compile(r"[!-+\--~]+")  # visible ASCII without the comma
_UPLOAD_PATH = re.compile(r"/files/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
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
    MISMATCH = "mismatch"  # the body is not what its checksum says


@dataclass(frozen=True)
class Metadata:
    """What a client says of a file. `transfer_secret` is never stored."""

    name: str = ""
    type: str = ""
    sha256: str = ""
    transfer_secret: str = ""
    # Where the file lay in a folder that was sent: a/b, as the client says it.
    folder: str = ""
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


def meant_method(method: str, override: str) -> str:
    """The method to act on: X-HTTP-Method-Override if there is one, whatever the actual method."""
    return override.strip().upper() or method


def parse_metadata(header: str, *, named: bool = True) -> Metadata:
    """Read `Upload-Metadata`: comma-separated `key base64(value)` pairs; a value may be any bytes.

    `named`: a filename is needed. Raises MetadataError.
    """
    if len(header) > METADATA_MAX_CHARACTERS:
        raise MetadataError("Upload-Metadata is too long.")
    pairs: dict[str, bytes] = {}
    for item in header.split(",") if header.strip(" \t") else ():
        key, value = _pair(item.strip(" \t"))
        if key in pairs:
            raise MetadataError(f"Upload-Metadata names {key!r} twice.")
        pairs[key] = value
    return _metadata(header, pairs, named)


def _pair(item: str) -> tuple[str, bytes]:
    key, _, encoded = item.partition(" ")
    if not key:
        raise MetadataError("Upload-Metadata has a pair without a key.")
    if not _METADATA_KEY.fullmatch(key):
        raise MetadataError("Upload-Metadata has a key that is not plain ASCII.")
    try:
        return key, base64.b64decode(encoded.strip(" \t"), validate=True)
    except ValueError:
        raise MetadataError(f"Upload-Metadata's {key!r} is not base64.") from None


def _metadata(header: str, pairs: Mapping[str, bytes], named: bool) -> Metadata:
    name = _text(pairs, "filename") or _text(pairs, "name")
    if (name or named) and (problem := name_problem(name)):
        raise MetadataError(problem)
    sha256 = _text(pairs, "sha256").lower()
    if sha256 and not _SHA256.fullmatch(sha256):
        raise MetadataError("sha256 must be 64 hexadecimal digits.")
    return Metadata(
        name=name,
        type=_CONTROL.sub("", _text(pairs, "filetype") or _text(pairs, "type"))[:200],
        sha256=sha256,
        transfer_secret=_text(pairs, "transfer"),
        folder=_folder(_text(pairs, "relativePath")),
        raw=without_secret(header),
    )


def _folder(relative_path: str) -> str:
    """What Uppy and others call relativePath ends in the file's own name; "null" is how JavaScript says none."""
    return "" if relative_path == "null" else relative_path.replace("\\", "/").rpartition("/")[0]


def _text(pairs: Mapping[str, bytes], key: str) -> str:
    """What we act on must be text; other values are none of our business."""
    try:
        return pairs.get(key, b"").decode("utf-8")
    except UnicodeDecodeError:
        raise MetadataError(f"Upload-Metadata's {key!r} is not base64 of UTF-8 text.") from None


def without_secret(header: str) -> str:
    """The metadata header without the sender's secret, every other byte as it came."""
    return ",".join(
        item for item in header.split(",") if item.strip(" \t").partition(" ")[0] != "transfer"
    ).strip(" \t")


class ChecksumError(ValueError):
    """Upload-Checksum cannot be checked; the text is fit for clients."""


class Digest(Protocol):
    """A checksum in the making."""

    def update(self, data: bytes | memoryview, /) -> object:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """The checksum of all bytes taken."""


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        # In network order, as every other number on the wire: the protocol does not say.
        return self._value.to_bytes(4, "big")


# A checksum finds what went wrong on the way; it is no defence against somebody, so MD5 and CRC will do.
_ALGORITHMS: Mapping[str, Callable[[], Digest]] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "crc32": _Crc32,
}
CHECKSUM_ALGORITHMS = tuple(_ALGORITHMS)


@dataclass(frozen=True)
class Checksum:
    """What a client says a chunk's bytes add up to."""

    algorithm: str
    expected: bytes

    def begin(self) -> Digest:
        """The running checksum to compare with `expected` at the end."""
        return _ALGORITHMS[self.algorithm]()


def parse_checksum(header: str) -> Checksum:
    """Read `Upload-Checksum`: `<algorithm> <base64>`. Raises ChecksumError."""
    algorithm, _, encoded = header.partition(" ")
    if algorithm not in _ALGORITHMS:
        raise ChecksumError(f"Upload-Checksum must use one of {', '.join(CHECKSUM_ALGORITHMS)}.")
    try:
        expected = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise ChecksumError("Upload-Checksum is not base64.") from None
    if len(expected) != len(_ALGORITHMS[algorithm]().digest()):
        raise ChecksumError(f"Upload-Checksum has the wrong length for {algorithm}.")
    return Checksum(algorithm, expected)


class ConcatError(ValueError):
    """Upload-Concat cannot be read; the text is fit for clients."""


@dataclass(frozen=True)
class Concat:
    """What `Upload-Concat` says: a partial upload, or a final one made of `partials`, in this order."""

    raw: str
    partials: tuple[uuid.UUID, ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether this makes a file of partial uploads."""
        return self.raw != "partial"


def parse_concat(header: str) -> Concat:
    """Read `Upload-Concat`: `partial`, or `final;<url> <url>` with absolute or relative URLs. Raises ConcatError."""
    kind, semicolon, urls = header.partition(";")
    if header == "partial":
        return Concat(header)
    if kind != "final" or not semicolon or not urls.split():
        raise ConcatError("Upload-Concat must be 'partial', or 'final;' and the partial uploads' URLs.")
    partials = tuple(_partial_id(url) for url in urls.split())
    if len(partials) > PARTIALS_MAX:
        raise ConcatError(f"Upload-Concat may name at most {PARTIALS_MAX} partial uploads.")
    if len(set(partials)) < len(partials):
        raise ConcatError("Upload-Concat names a partial upload twice; each goes into a file once.")
    return Concat(header, partials)


def _partial_id(url: str) -> uuid.UUID:
    try:
        found = _UPLOAD_PATH.fullmatch(urlsplit(urljoin("/files/", url)).path.lower())
    except ValueError:
        found = None
    if found is None:
        raise ConcatError("Upload-Concat names something that is no upload here.")
    return uuid.UUID(found[1])


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
