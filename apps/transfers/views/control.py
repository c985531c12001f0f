"""Owns what whoever controls a transfer does with it: change, close, open again, delete, mail its link.

A form of a page without script is answered with a way back, htmx with a word that something changed (the list looks
again by itself), a program with a status.
"""

import json
from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.request import QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from apps.common.errors import ForbiddenError, SignInRequiredError, TooManyRequestsError
from apps.common.responses import wants_json
from apps.transfers.changing import (
    transfer_change,
    transfer_close,
    transfer_mail,
    transfer_open,
)
from apps.transfers.errors import InvalidTransferError
from apps.transfers.mailing import mail_check
from apps.transfers.models import LinkMail, Transfer
from apps.transfers.rules import MailKind
from apps.transfers.services import sender_check_alive, transfer_delete
from apps.transfers.views.access import private, sender_transfer
from apps.transfers.views.mails import mails_count
from apps.transfers.views.mine import signed_in

Act = Callable[[HttpRequest, Transfer], str]


def done(request: HttpRequest, said: str) -> HttpResponse:
    """The answer to a change that was made; `said` is for people."""
    if "HX-Request" in request.headers:
        word = {"transfer-changed": {"target": "body", "said": said}}
        return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(word)})
    if wants_json(request):
        return HttpResponse(status=204)
    messages.success(request, said)
    return HttpResponseRedirect(way_back(request), status=303)


def way_back(request: HttpRequest) -> str:
    """Where the list stood from which somebody came here; never another site's page."""
    wanted = request.POST.get("back") or request.GET.get("back", "")
    safe = wanted.startswith("/mine") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if safe else reverse("transfers:mine")


def asked(request: HttpRequest, name: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """A form about one transfer: alone for a dialog, else as a page."""
    page = f"_{name}" if "HX-Request" in request.headers else name
    context = {**context, "form": f"transfers/_{name}.html", "back": way_back(request)}
    template = f"transfers/{page}.html" if page.startswith("_") else "transfers/mine_form.html"
    return render(request, template, context, status=status)


# Exempt, since sender_transfer asks for the token where a cookie and not the header proves who asks.
@require_http_methods(["GET", "HEAD", "POST"])
@csrf_exempt
@private
def change(request: HttpRequest, token: str) -> HttpResponse:
    """The form with what can be changed, and its answer."""
    transfer = sender_transfer(request, token)
    sender_check_alive(transfer=transfer)
    if request.method != "POST":
        return asked(request, "change", _change_context(request, transfer))
    try:
        transfer_change(transfer=transfer, **changes_of(request.POST, transfer))
    except InvalidTransferError as error:
        if wants_json(request):
            raise
        context = _change_context(request, transfer) | {"error": error, "given": request.POST}
        return asked(request, "change", context, status=400)
    return done(request, _("Changed."))


def _change_context(request: HttpRequest, transfer: Transfer) -> dict[str, Any]:
    today, user = timezone.now().date(), signed_in(request)
    return {
        "transfer": transfer,
        "today": today,
        "last_day": today + timedelta(days=settings.TRANSFER_EXPIRES_DAYS_MAX),
        "may_notify": user is not None and user.pk == transfer.owner_id and bool(user.email),
    }


def changes_of(form: QueryDict, transfer: Transfer) -> dict[str, Any]:
    """Keyword arguments for `transfer_change` from the form. What the form does not hold stays as it is; a checkbox
    says by its `-shown` field that it was there. Raises InvalidTransferError.
    """
    changes: dict[str, Any] = {name: form[name] for name in ("title", "message") if name in form}
    if form.get("password"):
        changes["password"] = form["password"]
    elif "remove_password" in form:
        changes["password"] = ""
    if "download_limit" in form:
        changes["download_limit"] = _number(form.get("download_limit", ""))
    day = form.get("expires_on", "")
    if day not in ("", f"{transfer.expires_at:%Y-%m-%d}"):
        changes["expires_at"] = _end_of(day)
    for name in ("delete_after_download", "notify_on_download"):
        if f"{name}-shown" in form:
            changes[name] = name in form
    return changes


def _number(text: str) -> int | None:
    try:
        return int(text) if text.strip() else None
    except ValueError:
        raise InvalidTransferError(
            "download_limit", _("The download limit must be a whole number.")
        ) from None


def _end_of(text: str) -> datetime:
    """The last moment of a day, in UTC: whoever chooses a day means all of it."""
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None:
        raise InvalidTransferError("expires_at", _("The day must look like 2030-12-31."))
    return datetime.combine(day, time(23, 59, 59), tzinfo=timezone.get_default_timezone())


def _action(act: Act) -> Callable[..., HttpResponse]:
    """A view for what takes no more than a button."""

    @require_POST
    @csrf_exempt
    @private
    def view(request: HttpRequest, token: str) -> HttpResponse:
        return done(request, act(request, sender_transfer(request, token)))

    return view


def _close(request: HttpRequest, transfer: Transfer) -> str:
    transfer_close(transfer=transfer)
    return _("Closed. The link opens for nobody until you open it again.")


def _open(request: HttpRequest, transfer: Transfer) -> str:
    transfer_open(transfer=transfer)
    return _("Open again.")


close = _action(_close)
reopen = _action(_open)


@require_http_methods(["GET", "HEAD", "POST"])
@csrf_exempt
@private
def delete(request: HttpRequest, token: str) -> HttpResponse:
    """Ask, then remove the transfer with all its files."""
    transfer = sender_transfer(request, token)
    if request.method != "POST":
        return asked(request, "delete", {"transfer": transfer})
    transfer_delete(transfer=transfer)
    return done(request, _("Deleted. Its files are gone."))


@require_http_methods(["GET", "HEAD", "POST"])
@csrf_exempt
@private
def mails(request: HttpRequest, token: str) -> HttpResponse:
    """Who gets the link by mail, and how far each mail is; POST adds addresses."""
    transfer = sender_transfer(request, token)
    sender_check_alive(transfer=transfer)
    if request.method != "POST":
        return asked(request, "mails", _mails_context(request, transfer))
    addresses = request.POST.get("emails", "").replace(",", " ").replace(";", " ").split()
    try:
        mail_check(user=request.user)
        mails_count(request, addresses)
        added = transfer_mail(transfer=transfer, emails=addresses)
    except (InvalidTransferError, TooManyRequestsError, ForbiddenError, SignInRequiredError) as error:
        if wants_json(request):
            raise
        context = _mails_context(request, transfer) | {"error": error, "given": request.POST}
        return asked(request, "mails", context, status=400)
    said = ngettext("%(added)s mail goes out.", "%(added)s mails go out.", added)
    return done(request, said % {"added": added} if added else _("They have the link already."))


def _mails_context(request: HttpRequest, transfer: Transfer) -> dict[str, Any]:
    try:
        mail_check(user=request.user)
    except (ForbiddenError, SignInRequiredError) as refusal:
        why_not = refusal.text
    else:
        why_not = ""
    sent = LinkMail.objects.filter(transfer=transfer, kind=MailKind.LINK)
    return {"transfer": transfer, "mails": sent, "why_not": why_not}
