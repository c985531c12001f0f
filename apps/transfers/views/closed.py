"""Owns the pages of a link that does not open: gone, used up, behind a password. Decides none of these."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.common.errors import NotFoundError, SpillwayError, TooManyRequestsError
from apps.common.refusals import refusal_note
from apps.common.responses import wants_json
from apps.transfers.errors import (
    DownloadLimitReachedError,
    PasswordRequiredError,
    PasswordWrongError,
    TransferClosedError,
    TransferExpiredError,
    TransferTakenDownError,
)
from apps.transfers.models import Transfer
from apps.transfers.sharing import SharedTransfer

_WHY: dict[type[SpillwayError], str] = {
    DownloadLimitReachedError: "limit",
    NotFoundError: "unknown",
    TransferClosedError: "closed",
    TransferExpiredError: "expired",
    TransferTakenDownError: "taken-down",
}


def closed_page(request: HttpRequest, error: SpillwayError) -> HttpResponse:
    """The page of a closed link for people; raises the error again for programs and for other refusals."""
    why = _WHY.get(type(error))
    if why is None or wants_json(request):
        raise error
    context = {
        "why": why,
        "expires_at": getattr(error, "expires_at", None),
        "request_id": str(getattr(request, "request_id", "")),
    }
    return render(request, "transfers/gone.html", context, status=error.status)


def password_page(
    request: HttpRequest,
    transfer: Transfer | SharedTransfer,
    error: PasswordRequiredError | PasswordWrongError | TooManyRequestsError,
) -> HttpResponse:
    """The page that asks for the password, again after a try that was wrong or one too many; raises the error again
    for programs.
    """
    if wants_json(request):
        raise error
    if isinstance(error, PasswordRequiredError):
        # The page that a link opens is an answer, not a failure; a wrong password is one.
        status = error.status if request.path.startswith("/internal/") else HTTPStatus.OK
        return render(request, "transfers/password.html", {"transfer": transfer, "error": ""}, status=status)
    refusal_note(error)
    context = {"transfer": transfer, "error": _said(error)}
    response = render(request, "transfers/password.html", context, status=error.status)
    for name, value in error.headers.items():
        response[name] = value
    return response


def _said(error: SpillwayError) -> str:
    # Whom to ask for the password stands on the page already.
    return f"{error.text} {error.what_to_do}" if isinstance(error, TooManyRequestsError) else error.text
