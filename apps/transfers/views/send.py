"""Owns the page where files are dropped, and the request that makes a transfer."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt, csrf_protect, ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.models import User
from apps.accounts.services import sender_check
from apps.common.errors import ForbiddenError, SignInRequiredError
from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit
from apps.transfers.rules import MailPolicy, days_to_choose, may_mail
from apps.transfers.services import transfer_create
from apps.transfers.views.access import private
from apps.transfers.views.browser import keep_browser, sending_browser
from apps.transfers.views.mails import mails_count
from apps.transfers.views.shapes import sender_choices


@require_safe
@ensure_csrf_cookie
def send_page(request: HttpRequest) -> HttpResponse:
    """The drop area, or for those who may not send the way to sign in."""
    context = {**_may_send(request), **send_limits(), **_sender_offers(request)}
    return render(request, "transfers/send.html", context)


def send_limits() -> dict[str, Any]:
    """What the page has to know about this site's limits."""
    usual, most = settings.TRANSFER_EXPIRES_DAYS, settings.TRANSFER_EXPIRES_DAYS_MAX
    return {
        "max_file_bytes": settings.MAX_FILE_BYTES,
        "max_transfer_bytes": settings.MAX_TRANSFER_BYTES,
        "max_files": settings.MAX_TRANSFER_FILES,
        "plain_form_bytes": settings.PLAIN_FORM_MAX_BYTES,
        "expires_days": min(usual, most),
        "expires_days_max": most,
        "expires_choices": days_to_choose(usual=usual, most=most),
    }


def _sender_offers(request: HttpRequest) -> dict[str, Any]:
    """What depends on who sends."""
    user = request.user
    return {
        "may_mail": may_mail(MailPolicy(settings.MAIL_POLICY), signed_in=user.is_authenticated),
        "notify_address": user.email if isinstance(user, User) else "",
    }


def _may_send(request: HttpRequest) -> dict[str, Any]:
    """Whether, and the refusal of those whom signing in would not help."""
    try:
        sender_check(user=request.user)
    except SignInRequiredError:
        return {"may_send": False}
    except ForbiddenError as refusal:
        return {"may_send": False, "refusal": refusal}
    return {"may_send": True}


@require_POST
@csrf_exempt
@private
def create(request: HttpRequest) -> HttpResponse:
    """201 with the link and the sender's secret.

    A request without any cookie acts in nobody's name, so there is nothing to forge: programs need no CSRF
    token. Every other one does.
    """
    return _create_checked(request) if request.COOKIES else _create(request)


def _create(request: HttpRequest) -> HttpResponse:
    sender_check(user=request.user, address=client_address(request))
    throttle_hit(scope="transfer_create", key=client_address(request))
    owner = request.user if isinstance(request.user, User) else None
    choices, browser = sender_choices(request), sending_browser(request)
    mails_count(request, choices.get("emails", ()))
    transfer, secret = transfer_create(owner=owner, browser=browser, **choices)
    body = {
        "token": transfer.token,
        "secret": secret,
        "url": transfer.get_absolute_url(),
        "manage_url": f"/m/{transfer.token}#{secret}",
    }
    response = JsonResponse(body, status=201)
    keep_browser(response, browser)
    return response


_create_checked = csrf_protect(_create)
