"""Owns the forms that browsers without script send: small files in one request, answered by a page with the link, or by
the form again that says what is wrong with it. A sender's own is `/send`, a guest's who was asked `/r/<token>/send`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST

from apps.accounts.services import sender_check
from apps.common.errors import InvalidFieldError, SpillwayError
from apps.common.links import absolute
from apps.common.refusals import refusal_note
from apps.common.responses import wants_json
from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit
from apps.transfers.asking import request_answer
from apps.transfers.errors import (
    FileTooLargeError,
    InvalidFileError,
    InvalidTransferError,
    TooManyFilesError,
)
from apps.transfers.models import Transfer
from apps.transfers.services import transfer_create
from apps.transfers.views.access import private
from apps.transfers.views.asking import asked_context, request_to_answer
from apps.transfers.views.browser import keep_browser, sending_browser
from apps.transfers.views.send import send_limits
from apps.uploads.body import StreamBody, discard_body
from apps.uploads.errors import (
    FormBrokenError,
    FormTooLargeError,
    QuotaExceededError,
    TransferTooLargeError,
)
from apps.uploads.putting import OfferedFile, files_put
from apps.uploads.rules import Metadata, name_problem, whole_number
from apps.uploads.services import sender_of
from apps.uploads.views.multipart import Form, check_form, form_of

# What can be put right in the form itself; it is given back with what was typed.
_CORRECTABLE = (
    FileTooLargeError,
    FormTooLargeError,
    InvalidFileError,
    InvalidTransferError,
    QuotaExceededError,
    TooManyFilesError,
    TransferTooLargeError,
)


class _Way(Protocol):
    """What differs between those who send: whether they may, what becomes of their fields, what their form shows."""

    @property
    def browser(self) -> str:
        """Whom to remember as the sender, see `keep_browser`."""

    def check(self) -> None:
        """Raises a SpillwayError for who may not send; comes before everything else."""

    def make(self, fields: QueryDict) -> Callable[..., tuple[Transfer, str]]:
        """What makes the transfer, as `files_put` wants it. Raises InvalidTransferError."""

    def context(self) -> dict[str, Any]:
        """What the form shows."""


class _Sender:
    """Whoever may send on this site."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.browser = ""

    def check(self) -> None:
        address = client_address(self._request)
        sender_check(user=self._request.user, address=address)
        throttle_hit(scope="transfer_create", key=address)

    def make(self, fields: QueryDict) -> Callable[..., tuple[Transfer, str]]:
        self.browser = sending_browser(self._request)
        owner = sender_of(self._request.user)
        return partial(transfer_create, owner=owner, browser=self.browser, **_choices(fields))

    def context(self) -> dict[str, Any]:
        return send_limits()


class _Guest:
    """Somebody who was asked for files: they choose nothing but what they say."""

    browser = ""  # what they send is not theirs

    def __init__(self, request: HttpRequest, token: str) -> None:
        self._request = request
        self._token = token

    def check(self) -> None:
        self._asked = request_to_answer(self._request, self._token)

    def make(self, fields: QueryDict) -> Callable[..., tuple[Transfer, str]]:
        said: dict[str, Any] = {name: fields.get(name, "") for name in ("sender_name", "message")}
        return partial(request_answer, request=self._asked, **said)

    def context(self) -> dict[str, Any]:
        return asked_context(self._asked)


# Exempt at first: the token stands in the body, and that is read only when everything else is right.
@require_POST
@csrf_exempt
@private
def send(request: HttpRequest) -> HttpResponse:
    """201 with the page that has the link."""
    return _answer(request, _Sender(request))


@require_POST
@csrf_exempt
@private
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """The same for a guest: the files go to whoever asked."""
    return _answer(request, _Guest(request, token))


def _answer(request: HttpRequest, way: _Way) -> HttpResponse:
    too_large = _check(request, way)
    try:
        with form_of(request, field="files", keeps_files=too_large is None) as form:
            request.POST = form.fields  # type: ignore[assignment]  # what Django's own parser would put there
            return _answer_checked(request, way, form, too_large)
    except FormBrokenError as error:
        raise too_large or error from None


def _check(request: HttpRequest, way: _Way) -> FormTooLargeError | None:
    """Refuse what can be refused before the body is read. A form that is too large is not among it where a person
    reads the answer: they get back what they typed.
    """
    too_large = None
    try:
        try:
            check_form(request)
        except FormTooLargeError as error:
            if wants_json(request):
                raise
            too_large = error
        way.check()
    except SpillwayError as error:
        if error.status < 500:
            # A browser shows an answer only when it could send what it had to.
            discard_body(request.META, most_bytes=2**30, most_seconds=5.0)
        raise
    return too_large


@csrf_protect
def _answer_checked(
    request: HttpRequest, way: _Way, form: Form, too_large: FormTooLargeError | None
) -> HttpResponse:
    try:
        if too_large is not None:
            raise too_large
        return _send(request, way, form)
    except _CORRECTABLE as refusal:
        if wants_json(request):
            raise
        return _again(request, way, form.fields, refusal)


def _send(request: HttpRequest, way: _Way, form: Form) -> HttpResponse:
    make = way.make(form.fields)
    offered = [_offered(file) for file in form.files]
    if not offered:
        raise InvalidFileError("files", _("Choose at least one file."))
    transfer, secret = files_put(make=make, address=client_address(request), files=offered)
    context = way.context() | _sent(request, transfer, secret, offered)
    response = render(request, "transfers/sent.html", context, status=201)
    keep_browser(response, way.browser)
    return response


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
    number = whole_number(raw.strip())
    if number is None:
        raise InvalidTransferError(field, _("This must be a whole number."))
    return number


def _sent(
    request: HttpRequest, transfer: Transfer, secret: str, offered: list[OfferedFile]
) -> dict[str, Any]:
    return {
        "link": absolute(request, transfer.get_absolute_url()),
        "manage": absolute(request, f"/m/{transfer.token}") + f"#{secret}",
        "files": [{"name": file.metadata.name, "size": file.length} for file in offered],
        "expires_at": transfer.expires_at,
    }


def _again(request: HttpRequest, way: _Way, fields: QueryDict, refusal: SpillwayError) -> HttpResponse:
    """The form as it was filled in, with what is wrong beside its field. No browser keeps files, and a password does
    not travel back.
    """
    refusal_note(refusal)
    words = refusal.text
    if not isinstance(refusal, InvalidFieldError):
        words = f"{words} {refusal.what_to_do}"
    # What names no field is about the files: how many, and how large.
    wrong = {"field": refusal.data.get("field", "files"), "words": words}
    context = way.context() | {"given": fields, "wrong": wrong}
    days = whole_number(fields.get("expires_days"))
    if days in context["expires_choices"]:
        context["expires_days"] = days
    return render(request, "transfers/send_plain.html", context, status=refusal.status)
