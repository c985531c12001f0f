"""Owns the IETF's draft 'Resumable Uploads for HTTP' on the addresses of tus: its words for what is the same here.

What is served of it and what is not: docs/decisions/0008-one-endpoint-two-protocols.md.
"""

import uuid
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_header_parameters
from django.utils.translation import gettext_lazy as _

from apps.uploads import services
from apps.uploads.errors import UploadLengthError, UploadMetadataError, UploadTooLongError, UploadTypeError
from apps.uploads.models import Upload
from apps.uploads.rules import DRAFT_CHUNK_TYPE, Metadata, name_problem
from apps.uploads.views.capacity import body_of
from apps.uploads.views.create import created, first_bytes, make
from apps.uploads.views.headers import announced, max_size, media_type, offset_of, placed, told_length
from apps.uploads.views.resource import offset as tus_offset

_COMPLETE = {"?1": True, "?0": False}


def speaks_draft(request: HttpRequest, method: str) -> bool:
    """Whether a request is the draft's: it names no version of tus, and has what only the draft has. An offset is asked
    for, and an upload cancelled, in the same way in both.
    """
    if "Tus-Resumable" in request.headers:
        return False
    marked = "Upload-Complete" in request.headers or "Upload-Draft-Interop-Version" in request.headers
    return marked or method in ("HEAD", "DELETE") or media_type(request) == DRAFT_CHUNK_TYPE


def create(request: HttpRequest) -> HttpResponse:
    """201 with the upload's address; the request's body is the file's beginning, or all of it."""
    complete, body = _complete(request), announced(request)
    length = _length(request, complete, body)
    if length is not None and body > length:
        raise UploadTooLongError(data={"room": length})
    upload, secret = make(request, length, _metadata(request))
    response = created(request, upload, secret)
    return _answered(response, first_bytes(request, upload) if body else upload)


def append(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """204 with the new offset and whether that was all."""
    if media_type(request) != DRAFT_CHUNK_TYPE:
        raise UploadTypeError(f"Content-Type must be {DRAFT_CHUNK_TYPE}.")
    complete, start, body = _complete(request), offset_of(request), announced(request)
    length = _length(request, complete, start + body)
    with body_of(request) as source:
        upload = services.upload_append(
            upload_id=upload_id, offset=start, announced=body, source=source, length=length
        )
    return _answered(HttpResponse(status=204), upload)


def offset(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """The offset, as tus gives it, and what the draft asks for beside it."""
    response = tus_offset(request, upload_id)
    whole = response.get("Upload-Length") == response["Upload-Offset"]
    response["Upload-Complete"] = "?1" if whole else "?0"
    response["Upload-Limit"] = limits()
    return response


def limits(upload: Upload | None = None) -> str:
    """`Upload-Limit`: bytes, and the seconds that an unfinished upload waits for more."""
    size = f"max-size={max_size()}"
    if upload is None or not upload.waits:
        return size
    left = (upload.expires_at - datetime.now(UTC)).total_seconds()
    return f"{size}, max-age={max(0, int(left))}"


def _complete(request: HttpRequest) -> bool:
    told = _COMPLETE.get(request.headers.get("Upload-Complete", ""))
    if told is None:
        raise UploadLengthError(_("Upload-Complete must be ?1 or ?0."))
    return told


def _length(request: HttpRequest, complete: bool, end: int) -> int | None:
    """What the request says of the whole length: in so many words, or by ending here. Both must agree."""
    length = told_length(request)
    if complete and length not in (None, end):
        raise UploadLengthError(_("Upload-Length is not where this request ends."))
    return end if complete else length


def _metadata(request: HttpRequest) -> Metadata:
    """The file's name and type are those of the request's own content."""
    _, parameters = parse_header_parameters(request.headers.get("Content-Disposition", ""))
    name = parameters.get("filename", "")
    if problem := name_problem(name):
        raise UploadMetadataError(problem.replace("Upload-Metadata", "Content-Disposition"))
    return Metadata(
        name=name, type=media_type(request), transfer_secret=request.headers.get("Transfer-Secret", "")
    )


def _answered(response: HttpResponse, upload: Upload) -> HttpResponse:
    response["Upload-Complete"] = "?1" if upload.is_whole else "?0"
    response["Upload-Limit"] = limits(upload)
    return placed(response, upload)
