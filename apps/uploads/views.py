"""Owns tus 1.0 over HTTP: parse headers, one service call, shape the answer. Decides nothing else.

Core, creation, creation-with-upload, termination, expiration: https://tus.io/protocols/resumable-upload
"""

import uuid
from collections.abc import Callable
from functools import wraps
from threading import BoundedSemaphore

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt

from apps.accounts.services import sender_check
from apps.common.errors import DATABASE_ERRORS, SpillwayError, database_refusal
from apps.common.links import absolute
from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit
from apps.transfers.errors import FileTooLargeError
from apps.transfers.models import Transfer
from apps.uploads import services
from apps.uploads.body import body_source, discard_body
from apps.uploads.errors import (
    TusVersionError,
    UploadBodyLengthError,
    UploadError,
    UploadLengthError,
    UploadLockedError,
    UploadMetadataError,
    UploadNotFoundError,
    UploadOffsetError,
    UploadsBusyError,
    UploadTooLongError,
    UploadTypeError,
)
from apps.uploads.models import Upload
from apps.uploads.rules import (
    CHUNK_TYPE,
    EXTENSIONS,
    TUS_VERSION,
    Metadata,
    MetadataError,
    is_beyond_counting,
    parse_metadata,
    upload_slots,
    waiting_slots,
    whole_number,
)

View = Callable[..., HttpResponse]
# A thread that waits for a slow sender serves nobody else: some threads are kept for everybody else. This counts
# what this process carries right now; no later request depends on it.
_slots = BoundedSemaphore(upload_slots(settings.WEB_THREADS, settings.UPLOAD_THREADS_SHARE))
# What waiting for another request's lease may cost, likewise.
_waiters = BoundedSemaphore(waiting_slots(settings.WEB_THREADS))
# Refusals that a client must hear rather than try again.
_FINAL = frozenset({400, 401, 403, 404, 409, 410, 411, 412, 413, 415, 429})


def _tus(view: View) -> View:
    """Check the protocol's version and add its headers to the answer; errors get them as well."""

    @csrf_exempt
    @wraps(view)
    def wrapper(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            if request.method != "OPTIONS" and request.headers.get("Tus-Resumable") != TUS_VERSION:
                raise TusVersionError(headers={"Tus-Version": TUS_VERSION})
            response = view(request, *args, **kwargs)
        except DATABASE_ERRORS as error:
            raise database_refusal(error, **{"Tus-Resumable": TUS_VERSION}) from error
        except SpillwayError as error:
            error.headers.setdefault("Tus-Resumable", TUS_VERSION)
            if error.status in _FINAL:
                discard_body(request.META, most_bytes=64 * 2**20, most_seconds=2.0)
            raise
        response["Tus-Resumable"] = TUS_VERSION
        response.setdefault("Cache-Control", "no-store")
        return response

    return wrapper


def _method(request: HttpRequest) -> str:
    """The method meant: some networks let only GET and POST through (tus, X-HTTP-Method-Override)."""
    override = request.headers.get("X-HTTP-Method-Override", "").upper()
    if request.method == "POST" and override in {"PATCH", "DELETE", "HEAD"}:
        return override
    return request.method or ""


@_tus
def collection(request: HttpRequest) -> HttpResponse:
    """`/files/`: OPTIONS tells what we can do, POST creates an upload."""
    if request.method == "OPTIONS":
        return _capabilities()
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "OPTIONS, POST"})
    return _create(request)


@_tus
def resource(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """`/files/<id>`: HEAD gives the offset, PATCH appends, DELETE terminates."""
    handlers: dict[str, View] = {"HEAD": _offset, "PATCH": _append, "DELETE": _terminate}
    if request.method == "OPTIONS":
        return _capabilities()
    handler = handlers.get(_method(request))
    if handler is None:
        return HttpResponse(status=405, headers={"Allow": "OPTIONS, HEAD, PATCH, DELETE"})
    return handler(request, upload_id)


@_tus
def unknown(request: HttpRequest, rest: str) -> HttpResponse:
    """Any other address under /files/ is an upload that does not exist."""
    raise UploadNotFoundError


def _capabilities() -> HttpResponse:
    return HttpResponse(
        status=204,
        headers={
            "Tus-Version": TUS_VERSION,
            "Tus-Extension": ",".join(EXTENSIONS),
            "Tus-Max-Size": str(settings.MAX_FILE_BYTES),
        },
    )


def _create(request: HttpRequest) -> HttpResponse:
    length = _length(request)
    # Everything about the body is checked before anything is made: a refused creation leaves nothing behind.
    with_body = _has_body(request)
    if with_body:
        _check_chunk_type(request)
        _check_body_fits(request, length)
    metadata = _metadata(request)
    upload, secret = _make(request, length, metadata)
    response = HttpResponse(status=201)
    response["Location"] = absolute(request, f"/files/{upload.pk}")
    if secret:
        response["Transfer-URL"] = absolute(request, upload.file.transfer.get_absolute_url())
        response["Transfer-Secret"] = secret
    if with_body:
        upload = _first_bytes(request, upload)
    return _placed(response, upload)


def _length(request: HttpRequest) -> int:
    raw = request.headers.get("Upload-Length")
    if is_beyond_counting(raw):
        raise FileTooLargeError
    length = whole_number(raw)
    if length is None:
        raise UploadLengthError
    return length


def _first_bytes(request: HttpRequest, upload: Upload) -> Upload:
    """Creation with upload: the upload exists whatever becomes of the body, so a refused or broken body still
    answers 201, with the offset that was reached.
    """
    try:
        return _append_body(request, upload.pk, 0)
    except (UploadError, *DATABASE_ERRORS):
        return Upload.objects.filter(pk=upload.pk).first() or upload


def _metadata(request: HttpRequest) -> Metadata:
    try:
        return parse_metadata(request.headers.get("Upload-Metadata", ""))
    except MetadataError as error:
        raise UploadMetadataError(str(error)) from None


def _make(request: HttpRequest, length: int, metadata: Metadata) -> tuple[Upload, str]:
    """The upload, in the transfer its secret opens, else in a new one whose secret is returned."""
    if metadata.transfer_secret:
        transfer = Transfer.objects.with_secret(metadata.transfer_secret).first()
        if transfer is None:
            throttle_hit(scope="link_open", key=client_address(request))
            raise UploadNotFoundError("There is no such transfer.")
        return services.upload_create(transfer=transfer, length=length, metadata=metadata), ""
    sender_check(user=request.user)
    throttle_hit(scope="transfer_create", key=client_address(request))
    owner = services.sender_of(request.user)
    return services.upload_create_alone(owner=owner, length=length, metadata=metadata)


def _has_body(request: HttpRequest) -> bool:
    return "Transfer-Encoding" in request.headers or _announced(request) > 0


def _announced(request: HttpRequest) -> int:
    """The body's length in bytes. A chunked body is refused: it could not be told from one that was cut off."""
    if "Transfer-Encoding" in request.headers:
        raise UploadBodyLengthError
    raw = request.headers.get("Content-Length") or "0"
    if is_beyond_counting(raw):
        raise UploadTooLongError
    return whole_number(raw) or 0


def _check_chunk_type(request: HttpRequest) -> None:
    if request.headers.get("Content-Type", "").split(";")[0].strip().lower() != CHUNK_TYPE:
        raise UploadTypeError


def _check_body_fits(request: HttpRequest, length: int) -> None:
    if _announced(request) > length:
        raise UploadTooLongError(data={"room": length})


def _append(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    _check_chunk_type(request)
    offset = whole_number(request.headers.get("Upload-Offset"))
    if offset is None:
        raise UploadOffsetError
    return _placed(HttpResponse(status=204), _append_body(request, upload_id, offset))


def _append_body(request: HttpRequest, upload_id: uuid.UUID, offset: int) -> Upload:
    announced = _announced(request)
    if not _slots.acquire(blocking=False):
        raise UploadsBusyError(headers={"Retry-After": "1"})
    try:
        with body_source(request.META) as source:
            return services.upload_append(
                upload_id=upload_id, offset=offset, announced=announced, source=source
            )
    finally:
        _slots.release()


def _offset(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """The offset that the next PATCH is accepted at.

    Never 5xx, whatever fails here: the common JavaScript client answers a 5xx to a HEAD by starting over at byte 0,
    and a 423 by asking again.
    """
    try:
        upload = _settled(upload_id)
    except DATABASE_ERRORS as error:
        raise UploadLockedError(headers={"Retry-After": "2"}) from error
    response = _placed(HttpResponse(status=200), upload)
    response["Upload-Length"] = str(upload.length)
    if upload.metadata:
        response["Upload-Metadata"] = upload.metadata
    return response


def _settled(upload_id: uuid.UUID) -> Upload:
    """At once if nobody holds the lease. Only a few may wait for a holder; the others are told to ask again."""
    try:
        return services.upload_settle(upload_id=upload_id, wait_seconds=0)
    except UploadLockedError:
        if not _waiters.acquire(blocking=False):
            raise
    try:
        return services.upload_settle(upload_id=upload_id, wait_seconds=settings.LEASE_WAIT_SECONDS)
    finally:
        _waiters.release()


def _terminate(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    _settled(upload_id)
    services.upload_terminate(upload_id=upload_id)
    return HttpResponse(status=204)


def _placed(response: HttpResponse, upload: Upload) -> HttpResponse:
    response["Upload-Offset"] = str(upload.offset)
    if upload.offset < upload.length:
        response["Upload-Expires"] = http_date(upload.expires_at.timestamp())
    return response
