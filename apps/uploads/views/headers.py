"""Owns how the headers of uploads are read and written. Refuses what breaks the protocol; touches no row."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from apps.transfers.errors import FileTooLargeError
from apps.uploads.errors import (
    UploadBodyLengthError,
    UploadChecksumError,
    UploadChunkTooLargeError,
    UploadConcatError,
    UploadLengthError,
    UploadMetadataError,
    UploadOffsetError,
    UploadTooLongError,
    UploadTypeError,
)
from apps.uploads.models import Upload
from apps.uploads.rules import (
    CHECKSUM_MAX_BYTES,
    CHUNK_TYPE,
    Checksum,
    ChecksumError,
    Concat,
    ConcatError,
    Metadata,
    MetadataError,
    is_beyond_counting,
    parse_checksum,
    parse_concat,
    parse_metadata,
    whole_number,
)


def max_size() -> int:
    """The largest upload in bytes: no file is larger than the transfer it is in."""
    whole = settings.MAX_TRANSFER_BYTES
    return min(settings.MAX_FILE_BYTES, whole) if whole else settings.MAX_FILE_BYTES


def media_type(request: HttpRequest) -> str:
    """Content-Type without its parameters."""
    return request.headers.get("Content-Type", "").split(";")[0].strip().lower()


def has_body(request: HttpRequest) -> bool:
    """Whether bytes follow."""
    return "Transfer-Encoding" in request.headers or announced(request) > 0


def announced(request: HttpRequest) -> int:
    """The body's length in bytes. A chunked body is refused: it could not be told from one that was cut off."""
    if "Transfer-Encoding" in request.headers:
        raise UploadBodyLengthError
    raw = request.headers.get("Content-Length") or "0"
    if is_beyond_counting(raw):
        raise UploadTooLongError
    return whole_number(raw) or 0


def check_chunk_type(request: HttpRequest) -> None:
    """Raises UploadTypeError."""
    if media_type(request) != CHUNK_TYPE:
        raise UploadTypeError


def told_length(request: HttpRequest) -> int | None:
    """`Upload-Length` in bytes, None if there is none. Raises UploadLengthError and FileTooLargeError."""
    raw = request.headers.get("Upload-Length")
    if is_beyond_counting(raw):
        raise FileTooLargeError(data={"max_bytes": max_size()})
    length = whole_number(raw)
    if raw is not None and length is None:
        raise UploadLengthError
    return length


def created_length(request: HttpRequest) -> int | None:
    """The length of a new upload, None if it is deferred. One of the two must be said, and only one."""
    length, deferred = told_length(request), request.headers.get("Upload-Defer-Length")
    if deferred is not None and deferred != "1":
        raise UploadLengthError(_("Upload-Defer-Length can only be 1."))
    if (length is None) == (deferred is None):
        raise UploadLengthError(_("Say either Upload-Length, or Upload-Defer-Length: 1."))
    return length


def offset_of(request: HttpRequest) -> int:
    """`Upload-Offset`. Raises UploadOffsetError."""
    offset = whole_number(request.headers.get("Upload-Offset"))
    if offset is None:
        raise UploadOffsetError
    return offset


def checksum_of(request: HttpRequest) -> Checksum | None:
    """`Upload-Checksum`, None if there is none. Raises UploadChecksumError and UploadChunkTooLargeError."""
    header = request.headers.get("Upload-Checksum")
    if header is None:
        return None
    try:
        checksum = parse_checksum(header)
    except ChecksumError as error:
        raise UploadChecksumError(str(error)) from None
    if announced(request) > CHECKSUM_MAX_BYTES:
        raise UploadChunkTooLargeError(data={"max_bytes": CHECKSUM_MAX_BYTES})
    return checksum


def concat_of(request: HttpRequest) -> Concat | None:
    """`Upload-Concat`, None if there is none. Raises UploadConcatError."""
    header = request.headers.get("Upload-Concat")
    try:
        return None if header is None else parse_concat(header)
    except ConcatError as error:
        raise UploadConcatError(str(error)) from None


def metadata_of(request: HttpRequest, *, named: bool = True) -> Metadata:
    """`Upload-Metadata`. Raises UploadMetadataError."""
    try:
        return parse_metadata(request.headers.get("Upload-Metadata", ""), named=named)
    except MetadataError as error:
        raise UploadMetadataError(str(error)) from None


def placed(response: HttpResponse, upload: Upload) -> HttpResponse:
    """Say where the upload stands, and until when it waits."""
    response["Upload-Offset"] = str(upload.offset)
    if upload.waits:
        response["Upload-Expires"] = upload.expires_header
    return response
