"""Owns the cursors of lists: where the next page begins, as text that clients hand back unread. Pure."""

import base64
import binascii
import uuid
from datetime import datetime

from apps.api.errors import CursorError

_MAX_CHARACTERS = 200


def cursor_after(moment: datetime, identity: uuid.UUID) -> str:
    """The cursor behind the row that has these two."""
    return base64.urlsafe_b64encode(f"{moment.isoformat()} {identity}".encode()).decode().rstrip("=")


def cursor_read(text: str) -> tuple[datetime, uuid.UUID]:
    """What `cursor_after` was given. Raises CursorError."""
    try:
        if len(text) > _MAX_CHARACTERS:
            raise ValueError
        told = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
        moment, identity = told.split(" ")
        found = datetime.fromisoformat(moment), uuid.UUID(identity)
        if found[0].tzinfo is None:
            raise ValueError
    except (ValueError, binascii.Error):
        raise CursorError from None
    return found
