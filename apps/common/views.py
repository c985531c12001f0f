"""Owns the pages Django asks for by itself: no such address, and an error nobody foresaw."""

from django.http import HttpRequest, HttpResponse

from apps.common.errors import CsrfError, NotFoundError, SpillwayError
from apps.common.responses import error_response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404 in the shape of every other error."""
    return error_response(request, NotFoundError())


def server_error(request: HttpRequest) -> HttpResponse:
    """500 without a word about the inside; the log has the trace under the same request id."""
    return error_response(request, SpillwayError())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 in the shape of every other error; Django's `reason` is for the log, which has it already."""
    return error_response(request, CsrfError())
