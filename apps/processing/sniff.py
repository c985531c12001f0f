"""Owns what a file's first bytes say it is. Never trusts a name or a sender, and reads nothing itself."""

import re

import puremagic

UNKNOWN = "application/octet-stream"
_MARKUP = (
    (re.compile(rb"<\s*svg[\s>]", re.I), "image/svg+xml"),
    (re.compile(rb"<\s*(!doctype\s+html|html|head|body|script|iframe|title)[\s>]", re.I), "text/html"),
    (re.compile(rb"<\?xml\s", re.I), "application/xml"),
)
_TEXT_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def content_type(head: bytes) -> str:
    """A media type for the beginning of a file. Markup is looked for first: it is what a browser might run."""
    return _markup(head) or _known(head) or _text(head) or UNKNOWN


def _markup(head: bytes) -> str | None:
    start = head[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start.startswith(b"<"):
        return None
    return next((kind for pattern, kind in _MARKUP if pattern.search(start)), None)


def _known(head: bytes) -> str | None:
    try:
        found = puremagic.from_string(head, mime=True)
    except (puremagic.PureError, ValueError):
        return None
    return str(found) or None


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
