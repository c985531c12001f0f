"""Owns which exception is which refusal, and that each refusal is counted and logged once."""

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, UnreadablePostError

from apps.common.errors import (
    ForbiddenError,
    InvalidInputError,
    SpillwayError,
    database_refusal,
    is_database_error,
)
from apps.common.metrics import REFUSALS
from apps.common.responses import error_response

logger = structlog.get_logger(__name__)
_UNREADABLE = (RequestDataTooBig, TooManyFieldsSent, SuspiciousOperation, UnreadablePostError)


def refusal_for(exception: BaseException | None) -> SpillwayError | None:
    """Our word for what was raised; None for what nobody foresaw."""
    if isinstance(exception, SpillwayError):
        return exception
    if exception is not None and is_database_error(exception):
        refusal = database_refusal(exception)
        logger.warning(f"database_{refusal.code}", detail=type(exception).__name__, exc_info=exception)
        return refusal
    if isinstance(exception, _UNREADABLE):
        return InvalidInputError()
    if isinstance(exception, PermissionDenied):
        return ForbiddenError()
    return None


def refused(request: HttpRequest, refusal: SpillwayError) -> HttpResponse:
    """The response to a refusal, which is counted by its code and logged."""
    refusal_note(refusal)
    return error_response(request, refusal)


def refusal_note(refusal: SpillwayError) -> None:
    """Count and log a refusal that is answered by a page of its own: a form that says what is wrong with it."""
    REFUSALS.labels(refusal.code).inc()
    severity = logger.warning if refusal.status >= 500 else logger.info
    severity("refused", code=refusal.code, status=refusal.status, detail=str(refusal))
