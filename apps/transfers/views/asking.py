"""Owns the pages of requests for files: the list of one's own, and the page on which others send. Moves no bytes."""

import json
import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect, ensure_csrf_cookie
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.common.errors import NotFoundError
from apps.common.links import absolute
from apps.throttling.address import client_address
from apps.throttling.blocking import SenderBlockedError, block_check
from apps.throttling.services import throttle_hit
from apps.transfers.asking import request_answer, request_check_open, request_close, request_create
from apps.transfers.errors import (
    BodyTooLargeError,
    InvalidTransferError,
    RequestEndedError,
    UnsupportedMediaTypeError,
)
from apps.transfers.models import FileRequest
from apps.transfers.views.access import private
from apps.transfers.views.control import done
from apps.transfers.views.mine import signed_in, to_sign_in
from apps.transfers.views.paging import page_of
from apps.transfers.views.send import send_limits

_SAID_BY_GUESTS = ("sender_name", "message")


@require_http_methods(["GET", "HEAD", "POST"])
@ensure_csrf_cookie
@private
def requests(request: HttpRequest) -> HttpResponse:
    """The requests of whoever is signed in, and the form for a new one."""
    owner = signed_in(request)
    if owner is None:
        return to_sign_in(request)
    context: dict[str, Any] = {}
    if request.method == "POST":
        throttle_hit(scope="transfer_create", key=client_address(request))
        try:
            made = request_create(owner=owner, **_request_choices(request))
        except InvalidTransferError as error:
            context = {"error": error, "given": request.POST}
        else:
            messages.success(
                request, _("Your request is open. Give its link to whoever shall send you files.")
            )
            return HttpResponseRedirect(f"{reverse('transfers:requests')}#request-{made.pk}", status=303)
    return _requests_page(request, context)


def _requests_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    owner, now = signed_in(request), timezone.now()
    assert owner is not None
    page = page_of(request, FileRequest.objects.of_owner(owner))
    rows = [
        {
            "request": each,
            "url": absolute(request, each.get_absolute_url()),
            "state": each.link_state(now).value,
        }
        for each in page.rows
    ]
    context |= {
        "rows": rows,
        "page": page,
        "tab": "requests",
        "here": request.get_full_path(),
        **send_limits(),
    }
    name = "_request_rows" if "HX-Request" in request.headers else "requests"
    return render(request, f"transfers/{name}.html", context, status=400 if "error" in context else 200)


def _request_choices(request: HttpRequest) -> dict[str, Any]:
    days = request.POST.get("expires_days", "").strip()
    if days and not days.isdecimal():
        raise InvalidTransferError("expires_days", _("The number of days must be a whole number."))
    return {
        "title": request.POST.get("title", ""),
        "message": request.POST.get("message", ""),
        "expires_days": int(days) if days else None,
    }


@require_POST
@private
def close(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Take nothing through one of one's own links any more."""
    owner = signed_in(request)
    found = FileRequest.objects.filter(pk=request_id, owner=owner).first() if owner else None
    if found is None:
        raise NotFoundError
    request_close(request=found)
    return done(request, _("Closed. What has come, and what is on its way, stays."))


def _open_request(request: HttpRequest, token: str) -> FileRequest:
    """The request behind a link. Raises NotFoundError, RequestEndedError and TooManyRequestsError."""
    throttle_hit(scope="link_open", key=client_address(request))
    found = FileRequest.objects.linked(token).first()
    if found is None:
        raise NotFoundError
    request_check_open(request=found)
    try:
        block_check(account_id=found.owner_id, address="")
    except SenderBlockedError:
        raise RequestEndedError from None
    return found


@require_safe
@ensure_csrf_cookie
@private
def answer_page(request: HttpRequest, token: str) -> HttpResponse:
    """What is asked for and by whom, and where to drop it."""
    found = _open_request(request, token)
    context = {"may_send": True, "create_url": reverse("transfers:request_send", args=[found.token])}
    return render(request, "transfers/request.html", context | asked_context(found))


def asked_context(asked: FileRequest) -> dict[str, Any]:
    """What a guest's page shows of the request, and this site's limits."""
    asked_by = asked.owner.get_full_name() or asked.owner.get_username()
    return {"asked": asked, "asked_by": asked_by, **send_limits()}


@require_POST
@csrf_exempt
@private
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """201 with the link and the sender's secret, as for any transfer; the files go to whoever asked.

    As there: a request without any cookie acts in nobody's name and needs no CSRF token.
    """
    return _answer_checked(request, token) if request.COOKIES else _answer(request, token)


def request_to_answer(request: HttpRequest, token: str) -> FileRequest:
    """The request behind a link, for whoever may send through it now.

    Raises NotFoundError, RequestEndedError, SenderBlockedError and TooManyRequestsError.
    """
    found, address = _open_request(request, token), client_address(request)
    # The request is the permission to send, but not for those whom staff has blocked.
    block_check(account_id=request.user.pk, address=address)
    throttle_hit(scope="transfer_create", key=address)
    return found


def _answer(request: HttpRequest, token: str) -> HttpResponse:
    found = request_to_answer(request, token)
    transfer, secret = request_answer(request=found, **_said_by_guest(request))
    body = {
        "token": transfer.token,
        "secret": secret,
        "url": transfer.get_absolute_url(),
        "manage_url": f"/m/{transfer.token}#{secret}",
    }
    return JsonResponse(body, status=201)


_answer_checked = csrf_protect(_answer)


def _said_by_guest(request: HttpRequest) -> dict[str, Any]:
    """Raises UnsupportedMediaTypeError, BodyTooLargeError and InvalidTransferError: a guest chooses nothing else."""
    if request.content_type != "application/json":
        raise UnsupportedMediaTypeError
    try:
        body = json.loads(request.body)
    except RequestDataTooBig:
        raise BodyTooLargeError from None
    except (ValueError, RecursionError):
        raise InvalidTransferError("", "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise InvalidTransferError("", "The body must be a JSON object.")
    given = {name: value for name, value in body.items() if value is not None}
    for name, value in given.items():
        if name not in _SAID_BY_GUESTS:
            raise InvalidTransferError(name[:50], "This is not something that can be chosen.")
        if not isinstance(value, str):
            raise InvalidTransferError(name, f"{name} must be text.")
    return given
