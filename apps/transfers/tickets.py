"""Owns how the bytes of one blob are given away once: a signed location for the file server, or a presigned address.

Decides nothing about who may have them.
"""

import time
from dataclasses import dataclass

from django.conf import settings
from django.utils.module_loading import import_string

from apps.transfers.rules import blob_signature

SIGNATURE_SECONDS = 60  # the file server looks once, when the request begins
# So does an object store, by its own clock. A browser that resumes may go back to this address rather than ask us.
URL_SECONDS = 300
# A player that seeks goes back to it too, for as long as somebody watches.
PLAYED_URL_SECONDS = 6 * 3600


@dataclass(frozen=True)
class BlobTicket:
    """What the file server needs to stream one blob once: every field is safe as a header value.

    `url`: where the visitor gets it instead, from an object store.
    """

    key: str
    content_type: str
    disposition: str
    expires: int
    signature: str
    url: str | None = None


def blob_ticket(
    key: str, *, content_type: str, disposition: str, method: str, url_seconds: int = URL_SECONDS
) -> BlobTicket:
    """Leave to read one blob under this type and disposition, by `method` (GET or HEAD)."""
    expires = int(time.time()) + SIGNATURE_SECONDS
    signature = blob_signature(
        expires=expires,
        key=key,
        content_type=content_type,
        disposition=disposition,
        secret=settings.DOWNLOAD_KEY,
    )
    url = import_string(settings.BLOB_STORE)().download_url(
        key, method=method, content_type=content_type, disposition=disposition, seconds=url_seconds
    )
    return BlobTicket(key, content_type, disposition, expires, signature, url)
