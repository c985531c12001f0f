"""Owns what every request gets: an id, a log line, and errors in one shape. Knows no app's rules."""

import re
import time
import uuid
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from apps.common.errors import LengthRequiredError
from apps.common.refusals import refusal_for, refused
from apps.common.routing import route_of

Handler = Callable[[HttpRequest], HttpResponse]
logger = structlog.get_logger(__name__)
# Where in a request's environ its reader notes how many bytes of the body there were.
BYTES_READ = "spillway.bytes_read"
_STREAMED_PATH = "/files/"  # read by apps.uploads from the socket, and by nobody else
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


def request_id(request: HttpRequest) -> str:
    """The id that this request's log lines and error page carry."""
    return str(getattr(request, "request_id", ""))


class RequestContextMiddleware:
    """Gives each request an id, answers with it and with the instance's name, and logs one line."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Bind the id for every log line of this request, and time it."""
        wanted = request.headers.get("X-Request-Id", "")
        request.request_id = wanted if _REQUEST_ID.fullmatch(wanted) else uuid.uuid4().hex  # type: ignore[attr-defined]  # ours, read by request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id(request))
        began = time.perf_counter()
        response = self.get_response(request)
        response["X-Request-Id"] = request_id(request)
        response["X-Instance"] = settings.INSTANCE
        _log(request, response, time.perf_counter() - began)
        return response


def _log(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    logger.info(
        "request",
        method=request.method,
        route=route_of(request),
        status=response.status_code,
        ms=round(seconds * 1000, 1),
        bytes_in=_bytes_in(request),
        bytes_out=0 if response.streaming else len(response.content),
        **import_string(settings.WHO_ASKS)(request),
    )


def _bytes_in(request: HttpRequest) -> int:
    """What was read of the body. Of small ones, which Django or gunicorn takes and notes nothing, what it was to be."""
    if BYTES_READ in request.META:
        return int(request.META[BYTES_READ])
    announced = _announced(request)
    return announced if announced <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE else 0


def _announced(request: HttpRequest) -> int:
    """How long the body says it is; 0 where it does not, or makes no sense."""
    told = request.META.get("CONTENT_LENGTH") or ""
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 20 else 0


class ErrorMiddleware:
    """Turns what a view raised into a response: refusals by their code, an unreachable database into 503."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Refuse what Django would read as an empty body; last on the way in, before any view or form is read."""
        if _has_unread_body(request):
            return refused(request, LengthRequiredError())
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """None leaves it to Django, which answers 500 and logs the trace."""
        refusal = refusal_for(exception)
        return None if refusal is None else refused(request, refusal)


def _has_unread_body(request: HttpRequest) -> bool:
    """Whether there is a body that Django takes for an empty one: it reads as much as Content-Length says.

    Of GET and HEAD no body is ever read, and some proxies call it chunked when there is none; a PUT is apps.uploads'.
    """
    chunked = "Transfer-Encoding" in request.headers
    return (
        chunked
        and request.method not in ("GET", "HEAD", "PUT")
        and not request.path.startswith(_STREAMED_PATH)
    )
