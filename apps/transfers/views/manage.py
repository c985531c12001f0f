"""Owns the sender's page of a transfer. The secret comes in a header and must never stand in a URL."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt, ensure_csrf_cookie
from django.views.decorators.http import require_http_methods, require_safe

from apps.common.errors import NotFoundError, SpillwayError
from apps.common.links import absolute
from apps.common.responses import wants_json
from apps.transfers.models import File, Transfer
from apps.transfers.rules import downloads_left, transfer_state
from apps.transfers.services import file_delete, sender_check_alive, transfer_delete
from apps.transfers.views.access import open_link, private, sender_transfer
from apps.transfers.views.closed import closed_page
from apps.transfers.views.send import send_limits
from apps.transfers.views.shapes import sender_file


# Exempt, since a header that no other site can set is what proves the sender.
@require_http_methods(["GET", "HEAD", "DELETE"])
@csrf_exempt
@private
def transfer(request: HttpRequest, token: str) -> HttpResponse:
    """GET: the page's shell, the same for everybody who has the link. DELETE: remove the transfer."""
    if request.method == "DELETE":
        transfer_delete(transfer=sender_transfer(request, token))
        return HttpResponse(status=204)
    return _shell(request, token)


@ensure_csrf_cookie
def _shell(request: HttpRequest, token: str) -> HttpResponse:
    try:
        found = open_link(request, token)
    except SpillwayError as error:
        return closed_page(request, error)
    # Whoever has the link may see this page, so it must not say what the password protects.
    shown = {"token": found.token, "title": "" if found.password else found.title}
    return render(request, "transfers/manage.html", {"may_send": True, "transfer": shown, **send_limits()})


@require_safe
@private
def files(request: HttpRequest, token: str) -> HttpResponse:
    """The rows of the sender's page, or their JSON."""
    found = sender_transfer(request, token)
    sender_check_alive(transfer=found)
    rows = [sender_file(file) for file in found.files.with_upload()]
    if wants_json(request):
        return JsonResponse(_files_json(request, found, rows))
    context = {
        "transfer": {"token": found.token, "url": _link(request, found), "state": _state(rows)},
        "expires_at": found.expires_at,
        "downloads_left": downloads_left(found.download_limit, found.download_count),
        "files": rows,
    }
    return render(request, "transfers/_files.html", context)


def _files_json(request: HttpRequest, found: Transfer, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "state": _state(rows),
        "url": _link(request, found),
        "expires_at": found.expires_at.isoformat(),
        "files": rows,
    }


def _state(rows: list[dict[str, Any]]) -> str:
    return transfer_state(row["state"] for row in rows)


def _link(request: HttpRequest, found: Transfer) -> str:
    return absolute(request, found.get_absolute_url())


@require_http_methods(["DELETE"])
@csrf_exempt
@private
def file(request: HttpRequest, token: str, file_id: uuid.UUID) -> HttpResponse:
    """Remove one file of the transfer."""
    found: File | None = sender_transfer(request, token).files.filter(pk=file_id).first()
    if found is None:
        raise NotFoundError
    file_delete(file=found)
    return HttpResponse(status=204)
