"""Owns how rows become the API's words. Asks the database nothing."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from apps.api.reading import FileSum
from apps.common.links import absolute
from apps.transfers.models import File, FileRequest, Transfer
from apps.transfers.rules import transfer_state
from apps.transfers.views.shapes import sender_file


def transfer_shape(request: HttpRequest, transfer: Transfer, files: FileSum) -> dict[str, Any]:
    """A transfer as schemas.TransferOut has it."""
    return {
        "id": transfer.pk,
        "url": absolute(request, transfer.get_absolute_url()),
        "state": transfer_state(files.states),
        "link": transfer.link_state(timezone.now()),
        "title": transfer.title,
        "message": transfer.message,
        "has_password": bool(transfer.password),
        "files": files.count,
        "bytes": files.bytes,
        "downloads": transfer.download_count,
        "download_limit": transfer.download_limit,
        "delete_after_download": transfer.delete_after_download,
        "notify_on_download": transfer.notify_on_download,
        "created_at": transfer.created_at,
        "expires_at": transfer.expires_at,
        "closed_at": transfer.closed_at,
        "request": transfer.request_id,
        "sender_name": transfer.sender_name,
    }


def request_shape(request: HttpRequest, asked: FileRequest) -> dict[str, Any]:
    """A link that asks for files as schemas.RequestOut has it; `asked` comes from `of_owner`."""
    return {
        "id": asked.pk,
        "url": absolute(request, asked.get_absolute_url()),
        "link": asked.link_state(timezone.now()),
        "title": asked.title,
        "message": asked.message,
        "received": asked.received,  # type: ignore[attr-defined]  # added by `of_owner`
        "created_at": asked.created_at,
        "expires_at": asked.expires_at,
        "closed_at": asked.closed_at,
    }


def made_shape(request: HttpRequest, transfer: Transfer, secret: str) -> dict[str, Any]:
    """A new transfer as schemas.MadeTransfer has it."""
    return transfer_shape(request, transfer, FileSum()) | {
        "secret": secret,
        "upload_url": absolute(request, "/files/"),
        "manage_url": absolute(request, f"/m/{transfer.token}#{secret}"),
    }


def file_shape(request: HttpRequest, file: File) -> dict[str, Any]:
    """A file as schemas.FileOut has it; its upload and transfer were fetched with it."""
    row = sender_file(file)
    path = row["upload_url"]
    return row | {
        "upload_url": absolute(request, path) if path else None,
        "url": absolute(request, file.download_path),
    }
