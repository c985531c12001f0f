"""Owns the pure decisions about transfers and their files: states, names, limits. No I/O, stdlib only."""

import base64
import hashlib
import re
import unicodedata
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote

NAME_MAX_CHARACTERS = 255
FOLDER_MAX_CHARACTERS = 1000
FOLDER_MAX_DEPTH = 32
FALLBACK_NAME = "file"
# Formatting characters that reorder or hide text: "evil\u202egnp.exe" would be shown as "evilexe.png".
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # kept: emoji and several scripts are spelt with them

OPAQUE_TYPE = "application/octet-stream"
# A file, an archive of several, something to look at.
_BYTES_URI = re.compile(
    r"/(?P<what>[dzp])/(?P<token>[A-Za-z0-9_-]{16,64})"
    r"/(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?:\?.*)?"
)
_BLOB_KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,99}/[a-z0-9][a-z0-9!#$&^_.+-]{0,99}")
_CONTINUING_RANGE = re.compile(r"bytes=0*[1-9][0-9]{0,18}-[0-9]{0,19}", re.ASCII)
# Types that no browser runs. Whatever is not listed is served as opaque bytes, so new kinds fail closed.
_INERT_FAMILIES = ("audio/", "font/", "image/", "video/")
_INERT_TYPES = frozenset(
    {
        "application/gzip",
        "application/json",
        "application/pdf",
        "application/vnd.rar",
        "application/x-7z-compressed",
        "application/x-bzip2",
        "application/x-tar",
        "application/x-xz",
        "application/zip",
        "application/zstd",
        "text/csv",
        "text/plain",
    }
)

# What browsers play by themselves. Under these types only, whatever the bytes are, they are given to a player.
_PLAYABLE = frozenset(
    {
        "audio/aac",
        "audio/flac",
        "audio/m4a",
        "audio/mp3",
        "audio/mp4",
        "audio/mpeg",
        "audio/ogg",
        "audio/wav",
        "audio/wave",
        "audio/webm",
        "audio/x-flac",
        "audio/x-m4a",
        "audio/x-wav",
        "video/mp4",
        "video/ogg",
        "video/quicktime",
        "video/webm",
        "video/x-m4v",
    }
)


class FileState(StrEnum):
    """Where a file is on its way: `uploading -> processing -> ready`, or `rejected` with a reason."""

    UPLOADING = "uploading"
    PROCESSING = "processing"
    READY = "ready"
    REJECTED = "rejected"


class TransferState(StrEnum):
    """What a transfer's files add up to."""

    EMPTY = "empty"
    UPLOADING = "uploading"
    PROCESSING = "processing"
    READY = "ready"


class LinkState(StrEnum):
    """Whether a link opens, or why not."""

    OPEN = "open"
    EXPIRED = "expired"
    CLOSED = "closed"  # by its sender, who may open it again
    TAKEN_DOWN = "taken-down"  # by staff


class MailState(StrEnum):
    """Where a mail with a link is on its way: `waiting -> sent`, or `failed` with a reason."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


class MailKind(StrEnum):
    """What a mail about a transfer says."""

    LINK = "link"  # to whom the sender wants it to go: here is the link
    DOWNLOADED = "downloaded"  # to its owner: somebody has downloaded from it
    RECEIVED = "received"  # to whoever asked for files: they are here


class MailPolicy(StrEnum):
    """Who may have links mailed: the words of the MAIL_POLICY setting."""

    ANYONE = "anyone"
    SIGNED_IN = "signed-in"
    NOBODY = "nobody"


def may_mail(policy: MailPolicy, *, signed_in: bool) -> bool:
    """Whether the site writes to others in this person's name."""
    return policy is MailPolicy.ANYONE or (policy is MailPolicy.SIGNED_IN and signed_in)


def link_state(
    *, expires_at: datetime, closed_at: datetime | None, taken_down_at: datetime | None, now: datetime
) -> LinkState:
    """What a recipient meets. Staff's word goes before the sender's, and both before the clock's."""
    if taken_down_at is not None:
        return LinkState.TAKEN_DOWN
    if closed_at is not None:
        return LinkState.CLOSED
    return LinkState.EXPIRED if has_expired(expires_at, now) else LinkState.OPEN


def transfer_state(file_states: Iterable[str]) -> TransferState:
    """The least advanced state among the files; rejected ones count only when there is nothing else."""
    states = set(file_states) - {FileState.REJECTED}
    for state in (FileState.UPLOADING, FileState.PROCESSING, FileState.READY):
        if state in states:
            return TransferState(state.value)
    return TransferState.EMPTY


def clean_name(raw: str) -> str:
    """A name fit to show and to suggest to a browser: the last path component, without control or hidden
    characters, at most 255 characters with its extension kept. Never empty, never `.` or `..`.
    """
    text = clean_line(raw.replace("\\", "/").rsplit("/", 1)[-1])
    if not text.strip(". " + _JOINERS):
        return FALLBACK_NAME
    return _shortened(text)


def clean_folder(raw: str) -> str:
    """The folder that a file lay in, fit to show and to unpack: `a/b`, each step cleaned like a name.

    Steps that lead nowhere or upwards are left out; what is too deep or too long keeps its last steps.
    """
    steps = [clean_name(step) for step in raw.replace("\\", "/").split("/") if step.strip(". ")]
    steps = steps[-FOLDER_MAX_DEPTH:]
    while len("/".join(steps)) > FOLDER_MAX_CHARACTERS:
        steps.pop(0)
    return "/".join(steps)


def clean_line(raw: str) -> str:
    """One line of text without control or hidden characters, white space folded to single spaces."""
    # White space is folded first: a tab or a line break is a control character, but parts two words. And once more:
    # what was hidden may have stood between two spaces.
    return unicodedata.normalize("NFC", _folded(_visible(_folded(raw)))).strip()


def _folded(text: str) -> str:
    return " ".join(text.split())


def clean_message(raw: str) -> str:
    """Text of several lines without control or hidden characters."""
    lines = raw.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ").split("\n")
    return "\n".join(_visible(line).rstrip() for line in lines).strip()


def _visible(text: str) -> str:
    return "".join(c for c in text if c in _JOINERS or unicodedata.category(c) not in _HIDDEN_CATEGORIES)


def _shortened(name: str) -> str:
    if len(name) <= NAME_MAX_CHARACTERS:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem or len(extension) > 16:
        return name[:NAME_MAX_CHARACTERS].rstrip()
    return stem[: NAME_MAX_CHARACTERS - len(extension) - 1].rstrip() + "." + extension


def disposition(name: str) -> str:
    """A `Content-Disposition` for a download, pure ASCII: RFC 6266 with the name in RFC 5987 encoding.

    The plain `filename` is a fallback for clients that cannot read `filename*`.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = "".join(c if c.isprintable() and c not in '"\\/%;' else "_" for c in plain).strip()
    plain = plain or FALLBACK_NAME
    if plain.startswith(".") and not name.startswith("."):
        plain = FALLBACK_NAME + plain
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='', errors='replace')}"


def has_expired(expires_at: datetime, now: datetime) -> bool:
    """Whether a link no longer works; the last moment still counts as alive."""
    return now > expires_at


def downloads_left(limit: int | None, used: int) -> int | None:
    """How many downloads a transfer still allows; None means as many as wanted."""
    return None if limit is None else max(0, limit - used)


def chosen_days(wanted: int | None, *, default: int, maximum: int) -> int:
    """The life of a link in days: what the sender chose, within [1, maximum]."""
    return min(max(1, default if wanted is None else wanted), maximum)


def days_to_choose(*, usual: int, most: int) -> list[int]:
    """Lives of a link in days that a sender is offered: some sensible ones, the usual one, and the longest."""
    return sorted({days for days in (1, 3, 7, 14, 30, usual, most) if days <= most})


def served_type(content_type: str) -> str:
    """The type a download is served with: the file's own if no browser could run it, else opaque bytes.

    Safe as a header value whatever it is given.
    """
    plain = clean_type(content_type)
    if not plain or "xml" in plain or "svg" in plain:
        return OPAQUE_TYPE
    return plain if plain.startswith(_INERT_FAMILIES) or plain in _INERT_TYPES else OPAQUE_TYPE


def clean_type(claimed: str) -> str:
    """The media type a sender claims, without parameters; empty when it does not look like one."""
    plain = claimed.split(";", 1)[0].strip().lower()
    return plain if _MEDIA_TYPE.fullmatch(plain) else ""


def is_playable(content_type: str) -> bool:
    """Whether a browser's own player can be given bytes of this type."""
    return content_type in _PLAYABLE


def is_sha256(text: str) -> bool:
    """Whether this is a SHA-256 in hexadecimal digits."""
    return bool(_SHA256.fullmatch(text))


def is_blob_key(text: str) -> bool:
    """Whether this names a blob: two levels of fan-out, then 32 hex digits, and nothing else."""
    return bool(_BLOB_KEY.fullmatch(text))


def download_target(uri: str, what: str = "d") -> tuple[str, uuid.UUID] | None:
    """The link's token and the file that `/d/<token>/<file>` names, None for anything else; `what` is `z` for an
    archive, `p` for something to look at.

    A query is ignored; the path must be written exactly as we write it.
    """
    match = _BYTES_URI.fullmatch(uri)
    return (match["token"], uuid.UUID(match["id"])) if match and match["what"] == what else None


def starts_over(range_header: str) -> bool:
    """Whether a request is a download of its own, and not the continuation of one.

    Only a single `bytes=<start>-` or `bytes=<start>-<end>` with a start above 0 continues. A suffix
    (`bytes=-500`) may reach back to the first byte, and the file server may answer several ranges, or one
    that it cannot read, with the whole file: all these start over.
    """
    return not _CONTINUING_RANGE.fullmatch(range_header.strip().lower())


def blob_signature(*, expires: int, key: str, content_type: str, disposition: str, secret: str) -> str:
    """What the file server compares before it gives bytes: the MD5 of all it acts on, base64url, no padding.

    MD5 because nginx's secure_link knows nothing else. It is keyed: the secret comes last, so a known hash
    cannot be extended, and no visitor ever sees a signature or a key to build a collision on.
    """
    text = f"{expires} {key} {content_type} {disposition} {secret}"
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def spark_path(counts: Sequence[int], *, width: int, height: int) -> str:
    """The `d` of an SVG path: a filled level, one step of equal width for each count, the highest as high as it goes.

    A count above 0 is never drawn as nothing.
    """
    most, step = max(counts, default=0), width / max(len(counts), 1)
    points = [f"M0 {height}"]
    for number, count in enumerate(counts):
        level = max(2.0, height * count / most) if count else 0.0
        points.append(f"V{height - level:.4g}H{step * (number + 1):.4g}")
    return "".join([*points, f"V{height}Z"])
