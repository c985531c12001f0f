"""Owns the pages Django asks for by itself: what was raised outside a view, and addresses that lead nowhere."""

import sys

from django.http import HttpRequest, HttpResponse

from apps.common.errors import CsrfError, ForbiddenError, InvalidInputError, NotFoundError, SpillwayError
from apps.common.refusals import refusal_for, refused
from apps.common.responses import error_response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400 in the shape of every other error."""
    return error_response(request, InvalidInputError())


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403 in the shape of every other error."""
    return error_response(request, ForbiddenError())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404 in the shape of every other error."""
    return error_response(request, NotFoundError())


def server_error(request: HttpRequest) -> HttpResponse:
    """500 without a word about the inside; the log has the trace under the same request id.

    A middleware's errors come here without having met ours: a session that cannot be saved is a database that
    cannot be reached. Django calls this while the exception is being handled.
    """
    return refused(request, refusal_for(sys.exc_info()[1]) or SpillwayError())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 in the shape of every other error; Django's `reason` is for the log, which has it already."""
    return error_response(request, CsrfError())
