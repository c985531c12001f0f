"""Owns the page behind a link: what there is, in which state, and the password before it."""

from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_POST, require_safe

from apps.common.errors import SpillwayError
from apps.common.responses import wants_json
from apps.throttling.address import client_address
from apps.transfers.errors import PasswordRequiredError, PasswordWrongError
from apps.transfers.models import Transfer
from apps.transfers.rules import downloads_left
from apps.transfers.views.access import check_unlocked, keep_grant, open_link, private, try_password
from apps.transfers.views.closed import closed_page, password_page
from apps.transfers.views.shapes import recipient_file, recipient_json


@require_safe
@private
def link(request: HttpRequest, token: str) -> HttpResponse:
    """The transfer for its recipient: a page, its rows for htmx, or JSON."""
    try:
        transfer = open_link(request, token)
    except SpillwayError as error:
        return closed_page(request, error)
    try:
        check_unlocked(request, transfer, address=client_address(request))
    except (PasswordRequiredError, PasswordWrongError) as error:
        return password_page(request, transfer, error)
    response = _shown(request, transfer)
    patch_vary_headers(response, ("Accept", "Cookie", "HX-Request"))
    return response


def _shown(request: HttpRequest, transfer: Transfer) -> HttpResponse:
    prefetch_related_objects([transfer], "files")
    if wants_json(request):
        return JsonResponse(recipient_json(request, transfer))
    files = [recipient_file(file, transfer.token) for file in transfer.files.all()]
    context = {
        "transfer": transfer,
        "sender_name": transfer.owner.get_full_name() if transfer.owner else "",
        "files": files,
        "total_bytes": sum(file["size"] for file in files),
        "expires_at": transfer.expires_at,
        "downloads_left": downloads_left(transfer.download_limit, transfer.download_count),
    }
    page = "_receive_files" if "HX-Request" in request.headers else "receive"
    return render(request, f"transfers/{page}.html", context)


@require_POST
@private
def password(request: HttpRequest, token: str) -> HttpResponse:
    """Take the password of a transfer and go back to it; the session keeps the grant."""
    try:
        transfer = open_link(request, token)
    except SpillwayError as error:
        return closed_page(request, error)
    if transfer.password:
        try:
            given = request.POST.get("password", "")
            keep_grant(request, transfer, try_password(transfer, given, address=client_address(request)))
        except PasswordWrongError as error:
            return password_page(request, transfer, error)
    return HttpResponseRedirect(transfer.get_absolute_url(), status=303)
