"""Owns the pages of an archive: asking for one, seeing how far it is, and the proxy's question before its download."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_POST, require_safe

from apps.common.errors import NotFoundError
from apps.common.links import absolute
from apps.common.responses import wants_json
from apps.processing.archiving import archive_authorise, archive_find, archive_request
from apps.processing.errors import NothingChosenError
from apps.processing.models import Archive
from apps.processing.rules import ArchiveState
from apps.processing.views.access import behind_link
from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit
from apps.transfers.errors import DownloadLimitReachedError
from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.transfers.sharing import SharedFile, SharedTransfer
from apps.transfers.tickets import BlobTicket
from apps.transfers.views.access import private
from apps.transfers.views.download import Visit, bytes_question, visitors_question


@require_POST
@behind_link
def collection(request: HttpRequest, transfer: SharedTransfer) -> HttpResponse:
    """Ask for an archive of the files named by `file`, or of `all`; go to its page. One file needs no archive."""
    chosen = _chosen(request, transfer)
    if transfer.downloads_left == 0:
        raise DownloadLimitReachedError
    if len(chosen) == 1:
        return HttpResponseRedirect(chosen[0].url, status=303)
    archive = _archive(request, transfer, [uuid.UUID(file.id) for file in chosen])
    return HttpResponseRedirect(archive.page_path, status=303)


def _chosen(request: HttpRequest, transfer: SharedTransfer) -> list[SharedFile]:
    ready = [file for file in transfer.files if file.state == FileState.READY]
    wanted = set(request.POST.getlist("file"))
    chosen = ready if "all" in request.POST else [file for file in ready if file.id in wanted]
    if not chosen:
        raise NothingChosenError
    return chosen


def _archive(request: HttpRequest, shared: SharedTransfer, file_ids: list[uuid.UUID]) -> Archive:
    transfer: Transfer | None = Transfer.objects.filter(pk=shared.pk).first()
    if transfer is None:
        raise NotFoundError
    if archive := archive_find(transfer=transfer, file_ids=file_ids):
        return archive
    # Only what has to be made is counted: looking for what others had made costs nothing.
    throttle_hit(scope="archive", key=client_address(request))
    files = File.objects.filter(transfer=transfer, pk__in=file_ids, state=FileState.READY)
    return archive_request(transfer=transfer, files=list(files))


@require_safe
@behind_link
def archive(request: HttpRequest, transfer: SharedTransfer, archive_id: uuid.UUID) -> HttpResponse:
    """How far an archive is: a page, what changes of it for htmx, or JSON."""
    found = Archive.objects.of_link(transfer.token, archive_id).first()
    if found is None:
        raise NotFoundError
    if wants_json(request):
        return JsonResponse(_json(request, found))
    context = {
        "transfer": transfer,
        "archive": found,
        "pending": found.state in (ArchiveState.WAITING, ArchiveState.MAKING),
        "count": len(found.file_ids),
    }
    page = "_archive" if "HX-Request" in request.headers else "archive"
    response = render(request, f"processing/{page}.html", context)
    patch_vary_headers(response, ("Accept", "Cookie", "HX-Request"))
    return response


def _json(request: HttpRequest, archive: Archive) -> dict[str, Any]:
    return {
        "state": archive.state,
        "reason": archive.reason,
        "bytes_done": archive.bytes_done,
        "bytes_total": archive.bytes_total,
        "size": archive.size,
        "url": absolute(request, archive.download_path),
    }


@require_GET
@private
def question(request: HttpRequest) -> HttpResponse:
    """The proxy asks before it gives an archive's bytes."""
    return bytes_question(request, "z", _find, _give)


@private
def download(request: HttpRequest, /, **named: object) -> HttpResponse:
    """The same for a visitor whom no proxy asked about."""
    return visitors_question(request, "z", _find, _give)


def _find(token: str, archive_id: uuid.UUID) -> tuple[Transfer, Archive] | None:
    found = Archive.objects.of_link(token, archive_id).first()
    return (found.transfer, found) if found else None


def _give(archive: Archive, visit: Visit) -> BlobTicket:
    return archive_authorise(
        archive=archive, client=visit.client, starts_over=visit.starts_over, counts=visit.counts
    )
