"""Owns the API itself: its operations, how it says no, its OpenAPI description. Knows no rule of its own."""

import json
from functools import cache
from typing import Any, NoReturn

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest
from django.utils import translation
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.responses import NinjaJSONEncoder

from apps.api.auth import TokenAuth
from apps.api.errors import ApiInputError, first_reason
from apps.api.operations import files, me, requests, transfers
from apps.api.schemas import Error
from apps.common.errors import InvalidInputError, NotFoundError
from apps.transfers.errors import BodyTooLargeError

DESCRIPTION = """\
Create, list, read, change and delete transfers, and ask others for files, with the rules, limits and refusals of the
pages. Every request shows a token of your account page: `Authorization: Bearer sp_...`. Where GET is answered, HEAD is:
the same status and headers, and no body. Bytes are sent with tus to `/files/`, with the `secret` that
a new transfer's answer holds, and downloaded at each file's `url`.

Decide by `error.code`: codes are stable, messages are for people. A 429 says in `Retry-After` how many seconds to wait;
a 503 is worth another try."""

api = NinjaAPI(
    title="Spillway",
    version="1",
    description=DESCRIPTION,
    auth=TokenAuth(),
    docs_url=None,
    openapi_url=None,
    urls_namespace="api",
)
for _router in (me.router, transfers.router, files.router, requests.router):
    api.add_router("", _router)


@api.exception_handler(ValidationError)
def _not_understood(request: HttpRequest, error: ValidationError) -> NoReturn:
    """Raised on: the site's one middleware shapes every refusal."""
    raise ApiInputError(*first_reason(error.errors))


@api.exception_handler(HttpError)
def _not_read(request: HttpRequest, error: HttpError) -> NoReturn:
    raise InvalidInputError


@api.exception_handler(RequestDataTooBig)
def _too_long(request: HttpRequest, error: RequestDataTooBig) -> NoReturn:
    raise BodyTooLargeError


@api.exception_handler(Http404)
def _not_there(request: HttpRequest, error: Http404) -> NoReturn:
    raise NotFoundError


@api.exception_handler(Exception)
def _unforeseen(request: HttpRequest, error: Exception) -> NoReturn:
    raise error


@cache
def openapi() -> dict[str, Any]:
    """The description, as JSON values in English. The same for everybody, and as long as this code runs."""
    with translation.override("en"):
        described = dict(api.get_openapi_schema(path_prefix="/api/v1/"))
        described["components"]["schemas"] |= _with_parts(Error)
        return dict(json.loads(json.dumps(described, cls=NinjaJSONEncoder)))


def _with_parts(schema: Any) -> dict[str, Any]:
    told = schema.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = dict(told.pop("$defs", {}))
    return parts | {schema.__name__: told}
