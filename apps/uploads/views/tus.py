"""Owns tus 1.0 over HTTP: which request is meant, and what every answer has in common. Decides nothing else.

All extensions but checksum-trailer and concatenation-unfinished: https://tus.io/protocols/resumable-upload
"""

import uuid
from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from apps.common.errors import DATABASE_ERRORS, SpillwayError, database_refusal
from apps.uploads.body import discard_body
from apps.uploads.errors import TusVersionError, UploadNotFoundError
from apps.uploads.rules import (
    CHECKSUM_ALGORITHMS,
    CHUNK_TYPE,
    DRAFT_CHUNK_TYPE,
    EXTENSIONS,
    TUS_VERSION,
    meant_method,
)
from apps.uploads.views import create, draft, resource
from apps.uploads.views.headers import max_size

View = Callable[..., HttpResponse]
# Refusals that a client must hear rather than try again.
_FINAL = frozenset({400, 401, 403, 404, 409, 410, 411, 412, 413, 415, 429})
_RESOURCE: dict[str, View] = {
    "HEAD": resource.offset,
    "PATCH": resource.append,
    "DELETE": resource.terminate,
}
_DRAFT_RESOURCE: dict[str, View] = {
    "HEAD": draft.offset,
    "PATCH": draft.append,
    "DELETE": resource.terminate,
}


def method_of(request: HttpRequest) -> str:
    """The method meant: some networks let only GET and POST through."""
    return meant_method(request.method or "", request.headers.get("X-HTTP-Method-Override", ""))


def _tus(view: View) -> View:
    """Answer OPTIONS, check the protocol's version, and take what is left of a refused body."""

    @csrf_exempt
    @wraps(view)
    def wrapper(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        method = method_of(request)
        if method == "OPTIONS":
            return _capabilities()
        try:
            speaks_draft = draft.speaks_draft(request, method)
            if not speaks_draft and request.headers.get("Tus-Resumable") != TUS_VERSION:
                raise TusVersionError(headers={"Tus-Version": TUS_VERSION})
            response = view(request, method, speaks_draft, *args, **kwargs)
        except DATABASE_ERRORS as error:
            raise database_refusal(error) from error
        except SpillwayError as error:
            if error.status == 413:
                error.headers.setdefault("Upload-Limit", draft.limits())
            if error.status in _FINAL:
                discard_body(request.META, most_bytes=64 * 2**20, most_seconds=2.0)
            raise
        response.setdefault("Cache-Control", "no-store")
        return response

    return wrapper


@_tus
def collection(request: HttpRequest, method: str, speaks_draft: bool) -> HttpResponse:
    """`/files/`: OPTIONS tells what we can do, POST creates an upload."""
    if method != "POST":
        return HttpResponse(status=405, headers={"Allow": "OPTIONS, POST"})
    return draft.create(request) if speaks_draft else create.create(request)


@_tus
def upload(request: HttpRequest, method: str, speaks_draft: bool, upload_id: uuid.UUID) -> HttpResponse:
    """`/files/<id>`: HEAD gives the offset, PATCH appends, DELETE terminates."""
    handler = (_DRAFT_RESOURCE if speaks_draft else _RESOURCE).get(method)
    if handler is None:
        return HttpResponse(status=405, headers={"Allow": "OPTIONS, HEAD, PATCH, DELETE"})
    return handler(request, upload_id)


@_tus
def unknown(request: HttpRequest, method: str, speaks_draft: bool, rest: str) -> HttpResponse:
    """Any other address under /files/ is an upload that does not exist."""
    raise UploadNotFoundError


def _capabilities() -> HttpResponse:
    return HttpResponse(
        status=204,
        headers={
            "Tus-Version": TUS_VERSION,
            "Tus-Extension": ",".join(EXTENSIONS),
            "Tus-Max-Size": str(max_size()),
            "Tus-Checksum-Algorithm": ",".join(CHECKSUM_ALGORITHMS),
            "Accept-Patch": f"{CHUNK_TYPE}, {DRAFT_CHUNK_TYPE}",
            "Upload-Limit": draft.limits(),
        },
    )
