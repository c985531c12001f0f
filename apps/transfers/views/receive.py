"""Owns the page behind a link: what there is, in which state, the password before it. Asks the cache first."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from apps.common.errors import SpillwayError, TooManyRequestsError
from apps.common.responses import wants_json
from apps.throttling.address import client_address
from apps.transfers.errors import PasswordRequiredError, PasswordWrongError
from apps.transfers.rules import FileState
from apps.transfers.sharing import SharedFile, SharedTransfer
from apps.transfers.views.access import check_unlocked, keep_grant, open_shared, private, try_password
from apps.transfers.views.closed import closed_page, password_page
from apps.transfers.views.shapes import recipient_json


@require_safe
@private
def link(request: HttpRequest, token: str) -> HttpResponse:
    """The transfer for its recipient: a page, its rows for htmx, or JSON."""
    try:
        transfer = open_shared(request, token)
    except SpillwayError as error:
        return closed_page(request, error)
    try:
        check_unlocked(request, transfer, address=client_address(request))
    except (PasswordRequiredError, PasswordWrongError) as error:
        return password_page(request, transfer, error)
    response = _shown(request, transfer)
    patch_vary_headers(response, ("Accept", "Cookie", "HX-Request"))
    return response


def _shown(request: HttpRequest, transfer: SharedTransfer) -> HttpResponse:
    if wants_json(request):
        return JsonResponse(recipient_json(request, transfer))
    return _page(request, transfer)


# A form of the page asks for an archive.
@ensure_csrf_cookie
def _page(request: HttpRequest, transfer: SharedTransfer) -> HttpResponse:
    ready = [file for file in transfer.files if file.state == FileState.READY]
    context = {
        "transfer": transfer,
        "folders": list(_by_folder(transfer.files)),
        "files": transfer.files,
        "ready": ready,
        "total_bytes": sum(file.size for file in transfer.files),
        "ready_bytes": sum(file.size for file in ready),
        "is_used_up": transfer.downloads_left == 0,
    }
    page = "_receive_files" if "HX-Request" in request.headers else "receive"
    return render(request, f"transfers/{page}.html", context)


def _by_folder(files: Iterable[SharedFile]) -> Iterator[tuple[str, list[SharedFile]]]:
    """(folder, its files): what lies in no folder first, the others by their names."""
    for folder, held in groupby(sorted(files, key=lambda file: file.folder), key=lambda file: file.folder):
        yield folder, list(held)


@require_POST
@private
def password(request: HttpRequest, token: str) -> HttpResponse:
    """Take the password of a transfer and go back to it; the session keeps the grant."""
    try:
        transfer = open_shared(request, token)
    except SpillwayError as error:
        return closed_page(request, error)
    if transfer.has_password:
        try:
            given = request.POST.get("password", "")
            keep_grant(request, transfer, try_password(transfer, given, address=client_address(request)))
        except (PasswordWrongError, TooManyRequestsError) as error:
            return password_page(request, transfer, error)
    return HttpResponseRedirect(transfer.get_absolute_url(), status=303)
