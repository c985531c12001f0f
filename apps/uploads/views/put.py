"""Owns `curl -T big.iso https://host/`: one PUT makes a transfer with one file and answers with its link alone.

What is read on a terminal is one line of plain text, a refusal too (apps.common.responses).
"""

from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt

from apps.accounts.services import sender_check
from apps.common.errors import SpillwayError
from apps.common.links import absolute
from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit
from apps.transfers.errors import FileTooLargeError, InvalidTransferError
from apps.transfers.services import transfer_create
from apps.transfers.views.access import header_text
from apps.uploads.body import discard_body
from apps.uploads.errors import (
    PutLengthError,
    PutNameError,
    PutRangeError,
    UploadBodyLengthError,
    UploadTooLongError,
)
from apps.uploads.putting import OfferedFile, files_put
from apps.uploads.rules import Metadata, name_problem, whole_number
from apps.uploads.services import sender_of
from apps.uploads.views.capacity import body_of
from apps.uploads.views.headers import announced, max_size, media_type


@csrf_exempt
def put(request: HttpRequest, name: str = "") -> HttpResponse:
    """201 with the link."""
    try:
        return _put(request, name)
    except SpillwayError as error:
        if error.status < 500:
            # Longer than elsewhere: whoever reads this is a person, and curl shows nothing after a broken connection.
            discard_body(request.META, most_bytes=16 * 2**30, most_seconds=5.0)
        raise


def _put(request: HttpRequest, name: str) -> HttpResponse:
    length = _length(request)
    if "Content-Range" in request.headers:
        raise PutRangeError
    if problem := name_problem(name):
        raise PutNameError(problem.replace("Upload-Metadata", "The address") if name else "")
    choices = _choices(request)
    address = client_address(request)
    sender_check(user=request.user, address=address)
    throttle_hit(scope="transfer_create", key=address)
    with body_of(request) as source:
        offered = OfferedFile(Metadata(name=name, type=media_type(request)), length, source)
        make = partial(transfer_create, owner=sender_of(request.user), **choices)
        transfer, secret = files_put(make=make, address=address, files=[offered])
    link = absolute(request, transfer.get_absolute_url())
    headers = {"Location": link, "Transfer-Secret": secret, "Cache-Control": "no-store"}
    return HttpResponse(f"{link}\n", status=201, content_type="text/plain; charset=utf-8", headers=headers)


def _length(request: HttpRequest) -> int:
    try:
        length = announced(request)
    except UploadTooLongError:
        raise FileTooLargeError(data={"max_bytes": max_size()}) from None
    except UploadBodyLengthError:
        raise PutLengthError from None
    if "Content-Length" not in request.headers:
        raise PutLengthError
    return length


def _choices(request: HttpRequest) -> dict[str, Any]:
    """What a sender may choose, in headers: `-H 'Transfer-Expires-Days: 3' -H 'Transfer-Password: ...'`."""
    texts = {"title": "Transfer-Title", "message": "Transfer-Message", "password": "Transfer-Password"}
    numbers = {"expires_days": "Transfer-Expires-Days", "download_limit": "Transfer-Download-Limit"}
    given = {field: header_text(request, name) for field, name in texts.items() if name in request.headers}
    counted = {
        field: _number(request, field, name) for field, name in numbers.items() if name in request.headers
    }
    return {**given, **counted}


def _number(request: HttpRequest, field: str, name: str) -> int:
    number = whole_number(request.headers[name])
    if number is None:
        raise InvalidTransferError(field, _("{name} must be a whole number."), name=name)
    return number
