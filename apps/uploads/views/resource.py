"""Owns what is asked of an upload that exists: its offset, more bytes, its end."""

import uuid

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.common.errors import DATABASE_ERRORS
from apps.uploads import services
from apps.uploads.errors import UploadLockedError
from apps.uploads.leasing import upload_settle
from apps.uploads.models import Upload
from apps.uploads.views.capacity import body_of, waiters
from apps.uploads.views.headers import (
    announced,
    check_chunk_type,
    checksum_of,
    offset_of,
    placed,
    told_length,
)


def append(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """204 with the new offset."""
    check_chunk_type(request)
    offset, length, checksum = offset_of(request), told_length(request), checksum_of(request)
    expected = announced(request)
    with body_of(request) as source:
        upload = services.upload_append(
            upload_id=upload_id,
            offset=offset,
            announced=expected,
            source=source,
            length=length,
            checksum=checksum,
        )
    return placed(HttpResponse(status=204), upload)


def offset(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """The offset that the next append is accepted at.

    Never 5xx, whatever fails here: the common JavaScript client answers a 5xx to a HEAD by starting over at byte 0,
    and a 423 by asking again.
    """
    try:
        upload = settled(upload_id)
    except DATABASE_ERRORS as error:
        raise UploadLockedError(headers={"Retry-After": "2"}) from error
    response = placed(HttpResponse(status=200), upload)
    if upload.length is None:
        response["Upload-Defer-Length"] = "1"
    else:
        response["Upload-Length"] = str(upload.length)
    if upload.metadata:
        response["Upload-Metadata"] = upload.metadata
    if upload.concat:
        response["Upload-Concat"] = upload.concat
    return response


def settled(upload_id: uuid.UUID) -> Upload:
    """At once if nobody holds the lease. Only a few may wait for a holder; the others are told to ask again."""
    try:
        return upload_settle(upload_id=upload_id, wait_seconds=0)
    except UploadLockedError:
        if not waiters.acquire(blocking=False):
            raise
    try:
        return upload_settle(upload_id=upload_id, wait_seconds=settings.LEASE_WAIT_SECONDS)
    finally:
        waiters.release()


def terminate(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """204, and the upload is gone, with its file."""
    settled(upload_id)
    services.upload_terminate(upload_id=upload_id)
    return HttpResponse(status=204)
