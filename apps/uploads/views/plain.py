"""Owns the form that browsers without script send: small files in one request, answered by a page with the link."""

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST

from apps.accounts.services import sender_check
from apps.common.errors import SpillwayError
from apps.common.links import absolute
from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit
from apps.transfers.errors import InvalidFileError, InvalidTransferError
from apps.transfers.models import Transfer
from apps.transfers.views.access import private
from apps.transfers.views.browser import keep_browser, sending_browser
from apps.uploads.body import StreamBody, discard_body
from apps.uploads.putting import OfferedFile, files_put
from apps.uploads.rules import Metadata, name_problem, whole_number
from apps.uploads.services import sender_of
from apps.uploads.views.multipart import Form, check_form, form_of


# Exempt at first: the token stands in the body, and that is read only when everything else is right.
@require_POST
@csrf_exempt
@private
def send(request: HttpRequest) -> HttpResponse:
    """201 with the page that has the link."""
    _check(request)
    with form_of(request, field="files") as form:
        request.POST = form.fields  # type: ignore[assignment]  # what Django's own parser would put there
        return _send_checked(request, form)


def _check(request: HttpRequest) -> None:
    """Refuse what can be refused before the body is read."""
    try:
        check_form(request)
        sender_check(user=request.user, address=client_address(request))
        throttle_hit(scope="transfer_create", key=client_address(request))
    except SpillwayError as error:
        if error.status < 500:
            # A browser shows an answer only when it could send what it had to.
            discard_body(request.META, most_bytes=2**30, most_seconds=5.0)
        raise


def _send(request: HttpRequest, form: Form) -> HttpResponse:
    offered = [_offered(file) for file in form.files]
    if not offered:
        raise InvalidFileError("files", _("Choose at least one file."))
    browser = sending_browser(request)
    transfer, secret = files_put(
        owner=sender_of(request.user),
        address=client_address(request),
        files=offered,
        choices=_choices(form.fields) | {"browser": browser},
    )
    response = render(
        request, "transfers/sent.html", _context(request, transfer, secret, offered), status=201
    )
    keep_browser(response, browser)
    return response


_send_checked = csrf_protect(_send)


def _offered(file: "UploadedFile[Any]") -> OfferedFile:
    """Raises InvalidFileError for a name that no file can have."""
    name, size = file.name or "", file.size or 0
    if name_problem(name):
        raise InvalidFileError("files", _("One of the files has a name that cannot be used."))
    return OfferedFile(
        metadata=Metadata(name=name, type=(file.content_type or "").split(";")[0].strip().lower()),
        length=size,
        source=StreamBody(file, size),
    )


def _choices(fields: QueryDict) -> dict[str, Any]:
    """What a sender may choose; an empty field is not given. Raises InvalidTransferError."""
    texts = {name: fields.get(name, "") for name in ("title", "message", "password")}
    numbers = {
        name: _number(name, str(fields[name]))
        for name in ("expires_days", "download_limit")
        if fields.get(name)
    }
    return {**texts, **numbers}


def _number(field: str, raw: str) -> int:
    number = whole_number(raw)
    if number is None:
        raise InvalidTransferError(field, f"{field} must be a whole number.")
    return number


def _context(
    request: HttpRequest, transfer: Transfer, secret: str, offered: list[OfferedFile]
) -> dict[str, Any]:
    return {
        "link": absolute(request, transfer.get_absolute_url()),
        "manage": absolute(request, f"/m/{transfer.token}") + f"#{secret}",
        "files": [{"name": file.metadata.name, "size": file.length} for file in offered],
        "expires_at": transfer.expires_at,
    }
