"""Owns how a request proves what it may see: by link, sender's secret or password. Changes no transfer."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from apps.common.errors import NotFoundError, SpillwayError
from apps.throttling.address import client_address
from apps.throttling.services import throttle_check, throttle_forget, throttle_hit
from apps.transfers.errors import PasswordRequiredError, TransferExpiredError
from apps.transfers.models import Transfer
from apps.transfers.rules import has_expired
from apps.transfers.services import password_known, transfer_unlock

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

_GRANTS = "transfer_grants"
_GRANTS_MAX = 50  # of one session; the oldest is forgotten first
# A link is a capability: no cache, no search engine and no other site may learn it.
_PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}


def private(view: View[P]) -> View[P]:
    """Keep what is behind a link out of caches, search engines and Referer headers, refusals too."""

    @wraps(view)
    def wrapper(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except SpillwayError as error:
            error.headers.update(_PRIVATE)
            raise
        for name, value in _PRIVATE.items():
            response[name] = value
        return response

    return wrapper


def open_link(request: HttpRequest, token: str) -> Transfer:
    """The living transfer behind a link. Raises NotFoundError, TransferExpiredError, TooManyRequestsError.

    An open page that looks again for its files is not another opening, unless it finds nothing: recipients
    behind one address would else shut each other out.
    """
    looks_again = "HX-Request" in request.headers
    if not looks_again:
        throttle_hit(scope="link_open", key=client_address(request))
    transfer = Transfer.objects.linked(token).first()
    if transfer is None:
        if looks_again:
            throttle_hit(scope="link_open", key=client_address(request))
        raise NotFoundError
    check_alive(transfer)
    return transfer


def check_alive(transfer: Transfer) -> None:
    """Raises TransferExpiredError when the link does not work any more."""
    if has_expired(transfer.expires_at, timezone.now()):
        raise TransferExpiredError(transfer.expires_at)


def sender_transfer(request: HttpRequest, token: str) -> Transfer:
    """The transfer whose secret stands in `Transfer-Secret`. Raises NotFoundError for any other secret.

    The digest is looked up, never compared byte by byte: timing tells nothing. Only wrong tries are counted,
    so a page that looks every second is not.
    """
    transfer = Transfer.objects.of_sender(token, request.headers.get("Transfer-Secret", "")).first()
    if transfer is None:
        throttle_hit(scope="link_open", key=client_address(request))
        raise NotFoundError
    return transfer


def check_unlocked(request: HttpRequest, transfer: Transfer, *, address: str) -> None:
    """Let those pass who gave the password: in this session, or in the `Transfer-Password` header.

    Raises PasswordRequiredError, PasswordWrongError and TooManyRequestsError.
    """
    if not transfer.password or _holds_grant(request, transfer):
        return
    offered = header_text(request, "Transfer-Password")
    if not offered:
        raise PasswordRequiredError
    # Before the proof is looked at: it would else tell right from wrong to those who may not try any more.
    throttle_check(scope="password", key=_tries_key(transfer, address))
    if not password_known(transfer=transfer, password=offered, address=address):
        try_password(transfer, offered, address=address)


def try_password(transfer: Transfer, password: str, *, address: str) -> str:
    """The grant for the right password. Raises PasswordWrongError; TooManyRequestsError before it looks."""
    key = _tries_key(transfer, address)
    # Counted before it is known to be wrong, or tries at the same time would not be; then given back.
    throttle_hit(scope="password", key=key)
    grant = transfer_unlock(transfer=transfer, password=password, address=address)
    throttle_forget(scope="password", key=key)
    return grant


def _tries_key(transfer: Transfer, address: str) -> str:
    return f"{transfer.pk}:{address}"


def keep_grant(request: HttpRequest, transfer: Transfer, grant: str) -> None:
    """Remember in the session that the password was given."""
    grants = {**request.session.get(_GRANTS, {}), str(transfer.pk): grant}
    request.session[_GRANTS] = dict(list(grants.items())[-_GRANTS_MAX:])


def _holds_grant(request: HttpRequest, transfer: Transfer) -> bool:
    held = request.session.get(_GRANTS, {}).get(str(transfer.pk), "")
    return constant_time_compare(held, transfer.grant)


def header_text(request: HttpRequest, name: str) -> str:
    """A header that may hold any character as UTF-8; WSGI hands it over as Latin-1."""
    return request.headers.get(name, "").encode("latin-1", "replace").decode("utf-8", "replace")
