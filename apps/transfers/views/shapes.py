"""Owns the shapes of transfers in JSON and in templates' contexts, and how a sender's choices are read."""

import json
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest

from apps.common.links import absolute
from apps.transfers.errors import BodyTooLargeError, InvalidTransferError, UnsupportedMediaTypeError
from apps.transfers.models import File, Transfer

_CHOICES: dict[str, type] = {
    "title": str,
    "message": str,
    "expires_days": int,
    "password": str,
    "download_limit": int,
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
            raise InvalidTransferError(name[:50], "This is not something that can be chosen.")
        if type(value) is not _CHOICES[name]:
            wanted = "a whole number" if _CHOICES[name] is int else "text"
            raise InvalidTransferError(name, f"{name} must be {wanted}.")
    return given


def _json_object(request: HttpRequest) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except RequestDataTooBig:
        raise BodyTooLargeError from None
    except (ValueError, RecursionError):
        raise InvalidTransferError("", "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise InvalidTransferError("", "The body must be a JSON object.")
    return body


def recipient_file(file: File, token: str) -> dict[str, Any]:
    """A file as the page of a link shows it; `url` is a path."""
    return {
        "id": str(file.pk),
        "name": file.name,
        "size": file.size,
        "type": file.content_type or file.claimed_type,
        "sha256": file.sha256,
        "state": file.state,
        "reason": file.reason,
        "url": f"/d/{token}/{file.pk}",
    }


def recipient_json(request: HttpRequest, transfer: Transfer) -> dict[str, Any]:
    """What a program gets for a link; addresses are absolute, so that it can follow them as they are."""
    shown = ("name", "size", "type", "sha256", "state")
    rows = [recipient_file(file, transfer.token) for file in transfer.files.all()]
    return {
        "state": transfer.state,
        "expires_at": transfer.expires_at.isoformat(),
        "files": [
            {name: row[name] for name in shown} | {"url": absolute(request, row["url"])} for row in rows
        ],
    }


def sender_file(file: File) -> dict[str, Any]:
    """A file as its sender sees it; `offset` counts durable bytes, `upload_url` is a path or None."""
    # The uploads app stands above this one: its row is reached from the file, never imported.
    upload = getattr(file, "upload", None)
    return {
        "id": str(file.pk),
        "name": file.name,
        "size": file.size,
        "type": file.content_type or file.claimed_type,
        "sha256": file.sha256,
        "state": file.state,
        "reason": file.reason,
        "offset": upload.offset if upload else file.size,
        "upload_url": f"/files/{upload.pk}" if upload else None,
        "downloads": file.download_count,
    }
