"""Owns /api/v1/transfers/.../files and .../downloads. Bytes go in and out elsewhere: /files/ (tus) and /d/."""

import uuid
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from apps.api.auth import user_of
from apps.api.documenting import refusals
from apps.api.reading import own_file, own_transfer
from apps.api.schemas import Downloads, FileList, FileOut
from apps.api.shapes import file_shape
from apps.transfers.services import file_delete

router = Router(tags=["files"])


@router.get(
    "/transfers/{uuid:transfer_id}/files",
    response=FileList,
    summary="List the files of a transfer",
    operation_id="file_list",
    openapi_extra=refusals("not_found"),
)
def list_(request: HttpRequest, transfer_id: uuid.UUID) -> dict[str, Any]:
    """All of them: MAX_TRANSFER_FILES is the most there can be."""
    files = own_transfer(user_of(request), transfer_id).files.with_upload()
    return {"files": [file_shape(request, file) for file in files]}


@router.get(
    "/transfers/{uuid:transfer_id}/files/{uuid:file_id}",
    response=FileOut,
    summary="Read a file",
    operation_id="file_read",
    openapi_extra=refusals("not_found"),
)
def read(request: HttpRequest, transfer_id: uuid.UUID, file_id: uuid.UUID) -> dict[str, Any]:
    """One file; its bytes are at `url`, as for every recipient."""
    return file_shape(request, own_file(user_of(request), transfer_id, file_id))


@router.delete(
    "/transfers/{uuid:transfer_id}/files/{uuid:file_id}",
    response={204: None},
    summary="Delete a file",
    operation_id="file_delete",
    openapi_extra=refusals("not_found", writes=True),
)
def delete(request: HttpRequest, transfer_id: uuid.UUID, file_id: uuid.UUID) -> Status[None]:
    """For good, an unfinished upload too."""
    file_delete(file=own_file(user_of(request), transfer_id, file_id))
    return Status(204, None)


@router.get(
    "/transfers/{uuid:transfer_id}/downloads",
    response=Downloads,
    summary="Downloads of a transfer",
    operation_id="download_list",
    openapi_extra=refusals("not_found"),
)
def downloads(request: HttpRequest, transfer_id: uuid.UUID) -> dict[str, Any]:
    """How often it was downloaded, by day and by file."""
    transfer = own_transfer(user_of(request), transfer_id)
    return {
        "total": transfer.download_count,
        "days": list(transfer.download_days.values("day", "downloads", "bytes")),
        "files": [
            {"id": file.pk, "name": file.name, "downloads": file.download_count}
            for file in transfer.files.all()
        ],
    }
