"""Owns the shapes of transfers in JSON and in templates' contexts, and how a sender's choices are read."""

import json
from datetime import datetime
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from apps.common.errors import Words
from apps.common.links import absolute
from apps.transfers.errors import BodyTooLargeError, InvalidTransferError, UnsupportedMediaTypeError
from apps.transfers.models import File
from apps.transfers.sharing import SharedTransfer

_CHOICES: dict[str, type] = {
    "title": str,
    "message": str,
    "expires_days": int,
    "expires_at": str,
    "password": str,
    "download_limit": int,
    "delete_after_download": bool,
    "notify_on_download": bool,
    "emails": list,
}
_WANTED: dict[type, Words] = {
    int: _("a whole number"),
    str: _("text"),
    bool: _("true or false"),
    list: _("a list of texts"),
}


def sender_choices(request: HttpRequest) -> dict[str, Any]:
    """Keyword arguments for `transfer_create` from a JSON body; null means not given.

    Raises UnsupportedMediaTypeError, BodyTooLargeError and InvalidTransferError. What is not known is
    refused: a misspelt `password` must not make an open link.
    """
    if request.content_type != "application/json":
        raise UnsupportedMediaTypeError
    body = _json_object(request)
    given = {name: value for name, value in body.items() if value is not None}
    for name, value in given.items():
        # By type(), since True is an int to isinstance.
        if name not in _CHOICES:
            raise InvalidTransferError(name[:50], _("This is not something that can be chosen."))
        if type(value) is not _CHOICES[name]:
            raise InvalidTransferError(name, _must_be(name, _WANTED[_CHOICES[name]]))
    if not all(isinstance(email, str) for email in given.get("emails", ())):
        raise InvalidTransferError("emails", _must_be("emails", _WANTED[list]))
    if "expires_at" in given:
        given["expires_at"] = _moment("expires_at", given["expires_at"])
    return given


def _must_be(name: str, wanted: Words) -> Words:
    return format_lazy(_("{name} must be {wanted}."), name=name, wanted=wanted)


def _moment(name: str, text: str) -> datetime:
    """A moment as ISO 8601 has it, with its offset. Raises InvalidTransferError."""
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidTransferError(name, _must_be(name, _("a moment like 2030-12-31T18:00:00Z")))
    return moment


def _json_object(request: HttpRequest) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except RequestDataTooBig:
        raise BodyTooLargeError from None
    except (ValueError, RecursionError):
        raise InvalidTransferError("", _("The body is not JSON.")) from None
    if not isinstance(body, dict):
        raise InvalidTransferError("", _("The body must be a JSON object."))
    return body


def recipient_json(request: HttpRequest, transfer: SharedTransfer) -> dict[str, Any]:
    """What a program gets for a link; addresses are absolute, so that it can follow them as they are."""
    return {
        "state": transfer.state,
        "expires_at": transfer.expires_at.isoformat(),
        "files": [
            {
                "name": file.name,
                "folder": file.folder,
                "size": file.size,
                "type": file.type,
                "sha256": file.sha256,
                "state": file.state,
                "url": absolute(request, file.url),
            }
            for file in transfer.files
        ],
    }


def sender_file(file: File) -> dict[str, Any]:
    """A file as its sender sees it; `offset` counts durable bytes, `upload_url` is a path or None."""
    # The uploads app stands above this one: its row is reached from the file, never imported.
    upload = getattr(file, "upload", None)
    return {
        "id": str(file.pk),
        "name": file.name,
        "folder": file.folder,
        "size": file.size,
        "type": file.content_type or file.claimed_type,
        "sha256": file.sha256,
        "state": file.state,
        "reason": file.reason,
        "offset": upload.offset if upload else file.size,
        "upload_url": f"/files/{upload.pk}" if upload else None,
        "downloads": file.download_count,
    }
