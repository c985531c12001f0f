"""Owns the proxy's question whether a visitor may have a file's bytes. Never sends a byte of them.

The proxy asks before each download and passes the visitor's own headers and cookies along. A 200 carries the
signed location for the file server; anything else is what the visitor gets to see, such as the 302 to a presigned
address in an object store.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_GET

from apps.common.errors import NotFoundError, SpillwayError
from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit
from apps.transfers.errors import MethodNotAllowedError, PasswordRequiredError, PasswordWrongError
from apps.transfers.models import File
from apps.transfers.rules import download_target, starts_over
from apps.transfers.services import BlobTicket, download_authorise
from apps.transfers.views.access import check_alive, check_unlocked, private
from apps.transfers.views.closed import closed_page, password_page


@require_GET
@private
def authorise(request: HttpRequest) -> HttpResponse:
    """200 with X-Blob-* headers, 302 to the object store, or why not."""
    # The internal entry point adds no hop (deploy/traefik: notAppendXForwardedFor): as for any other request.
    address = client_address(request)
    method = request.headers.get("X-Forwarded-Method", "GET").upper()
    if method not in ("GET", "HEAD"):
        raise MethodNotAllowedError(headers={"Allow": "GET, HEAD"})
    file = None
    try:
        file = _asked_file(request, address)
        return _answer(_ticket(request, file, address, method))
    except (PasswordRequiredError, PasswordWrongError) as error:
        return password_page(request, file.transfer, error) if file else closed_page(request, error)
    except SpillwayError as error:
        return closed_page(request, error)


def _asked_file(request: HttpRequest, address: str) -> File:
    target = download_target(request.headers.get("X-Forwarded-Uri", ""))
    file = File.objects.of_link(*target).first() if target else None
    if file is None:
        # Only failing tries are counted: they are how links are guessed.
        throttle_hit(scope="link_open", key=address)
        raise NotFoundError
    return file


def _ticket(request: HttpRequest, file: File, address: str, method: str) -> BlobTicket:
    check_alive(file.transfer)
    check_unlocked(request, file.transfer, address=address)
    return download_authorise(
        file=file,
        client=f"{address} {request.COOKIES.get(settings.SESSION_COOKIE_NAME, '')}",
        # With If-Range the file server may answer a range with the whole file.
        starts_over="If-Range" in request.headers or starts_over(request.headers.get("Range", "")),
        counts=method == "GET",
    )


def _answer(ticket: BlobTicket) -> HttpResponse:
    if ticket.url is not None:
        return HttpResponseRedirect(ticket.url)
    return HttpResponse(
        headers={
            "X-Blob-Key": ticket.key,
            "X-Blob-Type": ticket.content_type,
            "X-Blob-Disposition": ticket.disposition,
            "X-Blob-Expires": str(ticket.expires),
            "X-Blob-Signature": ticket.signature,
        }
    )
