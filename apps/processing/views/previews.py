"""Owns the page that shows one file, and the proxy's question before the bytes it is made of. Counts no download."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_safe

from apps.common.errors import NotFoundError
from apps.processing.models import Preview
from apps.processing.rules import PreviewKind
from apps.processing.views.access import behind_link
from apps.transfers.caching import link_shared
from apps.transfers.models import File
from apps.transfers.rules import FileState, is_blob_key, served_type
from apps.transfers.sharing import SharedFile, SharedTransfer
from apps.transfers.tickets import PLAYED_URL_SECONDS, URL_SECONDS, BlobTicket, blob_ticket
from apps.transfers.views.access import private
from apps.transfers.views.download import Visit, bytes_question, visitors_question
from apps.uploads.ports import StoreError
from apps.uploads.store import blob_store

_PLAYED = ("video", "audio")
_PLACE_SECONDS = 300


@require_safe
@behind_link
def file(request: HttpRequest, transfer: SharedTransfer, file_id: uuid.UUID) -> HttpResponse:
    """One file to look at, with the way to the next one."""
    shown = _of(transfer, file_id)
    if shown is None:
        raise NotFoundError
    if not shown.preview:
        return HttpResponseRedirect(transfer.get_absolute_url(), status=303)
    before, after = _neighbours(transfer, shown)
    context = {
        "transfer": transfer,
        "file": shown,
        "before": before,
        "after": after,
        "is_used_up": transfer.downloads_left == 0,
        **_content(shown),
    }
    return render(request, "processing/file.html", context)


def _of(transfer: SharedTransfer, file_id: uuid.UUID) -> SharedFile | None:
    return next((file for file in transfer.files if file.id == str(file_id)), None)


def _neighbours(transfer: SharedTransfer, shown: SharedFile) -> tuple[SharedFile | None, SharedFile | None]:
    """Those before and after it that can be looked at, in the order of the link's page."""
    seen = [file for file in sorted(transfer.files, key=lambda file: file.folder) if file.preview]
    place = seen.index(shown)
    return (seen[place - 1] if place else None), (seen[place + 1] if place + 1 < len(seen) else None)


def _content(shown: SharedFile) -> dict[str, Any]:
    """What the page is made of. Texts are put into the page, so that no browser takes them for anything else."""
    if shown.preview in _PLAYED:
        return {}
    previews = list(Preview.objects.filter(file_id=shown.id, kind=shown.preview))
    if shown.preview in (PreviewKind.PICTURE, PreviewKind.PAGE):
        return {"previews": previews}
    # Bytes come from the store now: others can have the connection meanwhile.
    connection.close()
    try:
        body = b"".join(blob_store().read_head(one.blob_key, one.size) for one in previews)
    except StoreError:
        return {"lost": True}
    if shown.preview == PreviewKind.LISTING:
        return {"listing": json.loads(body)}
    text = body.decode("utf-8", "replace")
    return {"lines": text.split("\n"), "cut": shown.size > len(body)}


@require_GET
@private
def question(request: HttpRequest) -> HttpResponse:
    """The proxy asks before it gives the bytes of a preview, or of a file that is played."""
    return bytes_question(request, "p", _find, _give)


@private
def show(request: HttpRequest, /, **named: object) -> HttpResponse:
    """The same for a visitor whom no proxy asked about."""
    return visitors_question(request, "p", _find, _give)


@dataclass(frozen=True)
class Place:
    """Where something to look at lies, and of which file. Never changes, so it may be remembered anywhere."""

    file_id: str
    key: str
    content_type: str
    is_played: bool = False


def _find(token: str, preview_id: uuid.UUID) -> tuple[SharedTransfer, Place] | None:
    """By the copy of the link, as its page: a hundred thumbnails seen by thousands ask the database nothing."""
    transfer = link_shared(token)
    place = _place(token, preview_id) if transfer else None
    if transfer is None or place is None:
        return None
    shown = _of(transfer, uuid.UUID(place.file_id))
    if shown is None or shown.state != FileState.READY:
        return None
    if place.is_played and shown.preview not in _PLAYED:
        return None
    return transfer, place


def _place(token: str, preview_id: uuid.UUID) -> Place | None:
    key = f"preview-place:{preview_id}"
    if known := cache.get(key):
        return Place(*known)
    place = _look_up(token, preview_id)
    if place:
        cache.set(key, [place.file_id, place.key, place.content_type, place.is_played], _PLACE_SECONDS)
    return place


def _look_up(token: str, preview_id: uuid.UUID) -> Place | None:
    if preview := Preview.objects.of_link(token, preview_id).first():
        return Place(str(preview.file_id), preview.blob_key, preview.content_type)
    file = File.objects.of_link(token, preview_id).filter(state=FileState.READY).first()
    if file is None or not is_blob_key(file.blob_key):
        return None
    return Place(str(file.pk), file.blob_key, served_type(file.content_type), is_played=True)


def _give(place: Place, visit: Visit) -> BlobTicket:
    return blob_ticket(
        place.key,
        content_type=place.content_type,
        disposition="inline",
        method="GET" if visit.counts else "HEAD",
        url_seconds=PLAYED_URL_SECONDS if place.is_played else URL_SECONDS,
    )
