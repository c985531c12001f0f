"""Owns the proxy's question whether a visitor may have bytes: a file's here, others' in apps above. Sends none of them.

The proxy asks before each download and passes the visitor's own headers and cookies along. A 200 carries the
signed location for the file server; anything else is what the visitor gets to see, such as the 302 to a presigned
address in an object store.

Where no proxy asks (a plain Ingress in Kubernetes), visitors ask here themselves, at the same addresses.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_GET

from apps.common.errors import NotFoundError, SpillwayError
from apps.throttling.address import client_address
from apps.throttling.services import throttle_hit
from apps.transfers.errors import MethodNotAllowedError, PasswordRequiredError, PasswordWrongError
from apps.transfers.models import File, Transfer
from apps.transfers.rules import download_target, starts_over
from apps.transfers.services import download_authorise, link_check
from apps.transfers.sharing import SharedTransfer
from apps.transfers.tickets import BlobTicket
from apps.transfers.views.access import check_unlocked, private
from apps.transfers.views.closed import closed_page, password_page

Thing = TypeVar("Thing")
# What is asked for, and the transfer that decides who may have it.
Find = Callable[[str, uuid.UUID], tuple[Transfer | SharedTransfer, Thing] | None]


@dataclass(frozen=True)
class Visit:
    """One request for bytes. `client` tells visitors apart; `counts` is False for a look at the headers."""

    client: str
    starts_over: bool
    counts: bool


@dataclass(frozen=True)
class Asked:
    """What a visitor asked for: the method, and the address as it was written."""

    method: str
    uri: str


@require_GET
@private
def authorise(request: HttpRequest) -> HttpResponse:
    """200 with X-Blob-* headers, 302 to the object store, or why not."""
    return bytes_question(request, "d", _find, _give)


def _find(token: str, file_id: uuid.UUID) -> tuple[Transfer, File] | None:
    file = File.objects.of_link(token, file_id).first()
    return (file.transfer, file) if file else None


def _give(file: File, visit: Visit) -> BlobTicket:
    return download_authorise(
        file=file, client=visit.client, starts_over=visit.starts_over, counts=visit.counts
    )


@private
def download(request: HttpRequest, /, **named: object) -> HttpResponse:
    """The same for a visitor who asks here: 302 to the object store, or why not."""
    return visitors_question(request, "d", _find, _give)


def visitors_question(
    request: HttpRequest, what: str, find: "Find[Thing]", give: Callable[[Thing, Visit], BlobTicket]
) -> HttpResponse:
    """The answer to a visitor of `/<what>/<token>/<id>` whom no proxy asked about. Only an object store can give the
    bytes then: with folders it is the file server that has them, and this address is not an instance's.
    """
    if settings.STORE != "s3":
        raise NotFoundError
    asked = Asked(request.method or "GET", request.get_full_path())
    return _answer_to(asked, request, what, find, give)


def bytes_question(
    request: HttpRequest, what: str, find: "Find[Thing]", give: Callable[[Thing, Visit], BlobTicket]
) -> HttpResponse:
    """The answer to one question of the proxy's about `/<what>/<token>/<id>`."""
    told = request.headers
    asked = Asked(told.get("X-Forwarded-Method", "GET").upper(), told.get("X-Forwarded-Uri", ""))
    return _answer_to(asked, request, what, find, give)


def _answer_to(
    asked: Asked,
    request: HttpRequest,
    what: str,
    find: "Find[Thing]",
    give: Callable[[Thing, Visit], BlobTicket],
) -> HttpResponse:
    # The internal entry point adds no hop (deploy/traefik: notAppendXForwardedFor): as for any other request.
    address = client_address(request)
    if asked.method not in ("GET", "HEAD"):
        raise MethodNotAllowedError(headers={"Allow": "GET, HEAD"})
    transfer = None
    try:
        target = download_target(asked.uri, what)
        found = find(*target) if target else None
        if found is None:
            # Only failing tries are counted: they are how links are guessed.
            throttle_hit(scope="link_open", key=address)
            raise NotFoundError
        transfer, thing = found
        link_check(transfer=transfer)
        check_unlocked(request, transfer, address=address)
        return _answer(give(thing, _visit(request, address, counts=asked.method == "GET")))
    except (PasswordRequiredError, PasswordWrongError) as error:
        return password_page(request, transfer, error) if transfer else closed_page(request, error)
    except SpillwayError as error:
        return closed_page(request, error)


def _visit(request: HttpRequest, address: str, *, counts: bool) -> Visit:
    return Visit(
        client=f"{address} {request.COOKIES.get(settings.SESSION_COOKIE_NAME, '')}",
        # With If-Range the file server may answer a range with the whole file.
        starts_over="If-Range" in request.headers or starts_over(request.headers.get("Range", "")),
        counts=counts,
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
