"""Owns the page on which a recipient reports abuse. Works without a script; says nothing of what the link holds."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_http_methods

from apps.common.errors import InvalidInputError, NotFoundError
from apps.console.models import REPORT_TEXT_MAX_CHARACTERS
from apps.console.reporting import report_create
from apps.console.vocabulary import ReportReason
from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit
from apps.transfers.models import Transfer
from apps.transfers.views.access import private


@require_http_methods(["GET", "HEAD", "POST"])
@ensure_csrf_cookie
@private
def report(request: HttpRequest, token: str) -> HttpResponse:
    """The form, and the thanks."""
    transfer = Transfer.objects.filter(token=token).first()
    if transfer is None:
        throttle_hit(scope="link_open", key=client_address(request))
        raise NotFoundError
    if request.method != "POST":
        return _form(request, token)
    throttle_hit(scope="report", key=client_address(request))
    throttle_hit(scope="report_link", key=token)
    given = {name: request.POST.get(name, "").strip() for name in ("reason", "text", "email")}
    try:
        report_create(transfer=transfer, **given)
    except InvalidInputError as refusal:
        return _form(request, token, error=refusal.text, **given)
    return render(request, "console/report_thanks.html", {"token": token})


def _form(request: HttpRequest, token: str, error: str = "", **given: Any) -> HttpResponse:
    context = {
        "token": token,
        "reasons": ReportReason.choices,
        "most": REPORT_TEXT_MAX_CHARACTERS,
        "error": error,
        "given": given,
        "title": _("Report this transfer"),
    }
    return render(request, "console/report.html", context, status=400 if error else 200)
