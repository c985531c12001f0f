"""Owns what a file's first bytes say it is. Never trusts a name or a sender, and reads nothing itself."""

import re

import puremagic

UNKNOWN = "application/octet-stream"
_MARKUP = (
    (re.compile(rb"<\s*svg[\s>]", re.I), "image/svg+xml"),
    (re.compile(rb"<\s*(!doctype\s+html|html|head|body|script|iframe|title)[\s>]", re.I), "text/html"),
    (re.compile(rb"<\?xml\s", re.I), "application/xml"),
)
_OFFICE = "application/vnd.openxmlformats-officedocument."
_ZIPPED = (
    (b"mimetypeapplication/epub+zip", "application/epub+zip"),
    (b"mimetypeapplication/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
    (
        b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.spreadsheet",
    ),
    (
        b"mimetypeapplication/vnd.oasis.opendocument.presentation",
        "application/vnd.oasis.opendocument.presentation",
    ),
    (b"word/document.xml", _OFFICE + "wordprocessingml.document"),
    (b"xl/workbook.xml", _OFFICE + "spreadsheetml.sheet"),
    (b"ppt/presentation.xml", _OFFICE + "presentationml.presentation"),
    (b"AndroidManifest.xml", "application/vnd.android.package-archive"),
    (b"META-INF/MANIFEST.MF", "application/java-archive"),
)
_TEXTUAL = frozenset({"application/json", "application/xml", "application/javascript", "application/x-sh"})
_TEXT_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def content_type(head: bytes) -> str:
    """A media type for the beginning of a file. Markup is looked for first: it is what a browser might run."""
    text = _text(head)
    return _markup(head) or _zipped(head) or _known(head, text is not None) or text or UNKNOWN


def _markup(head: bytes) -> str | None:
    start = head[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start.startswith(b"<"):
        return None
    return next((kind for pattern, kind in _MARKUP if pattern.search(start)), None)


def _zipped(head: bytes) -> str | None:
    """Office documents, books and programs are zip files; the names of their first entries tell which."""
    if not head.startswith(b"PK\x03\x04"):
        return None
    return next((kind for sign, kind in _ZIPPED if sign in head), "application/zip")


def _known(head: bytes, is_text: bool) -> str | None:
    """By signature. Some signatures are a byte or two long: one that stands for text must be on text."""
    try:
        found = str(puremagic.from_string(head, mime=True))
    except (puremagic.PureError, ValueError):
        return None
    textual = found.startswith("text/") or found in _TEXTUAL
    return found if found and (is_text or not textual) else None


def _text(head: bytes) -> str | None:
    if not head or _TEXT_CONTROL.search(head):
        return None
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The last character may be cut in two by where the sniffing ended.
        if error.start < len(head) - 3:
            return None
    return "text/plain"
