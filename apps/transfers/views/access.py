"""Owns how a request proves what it may see: by link, password, secret, account or browser. Changes no transfer."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseForbidden
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.crypto import constant_time_compare

from apps.common.errors import CsrfError, NotFoundError, SpillwayError
from apps.throttling.address import client_address
from apps.throttling.services import throttle_check, throttle_forget, throttle_hit
from apps.transfers.caching import link_shared
from apps.transfers.errors import PasswordRequiredError
from apps.transfers.models import Transfer, secret_digest
from apps.transfers.services import link_check, password_known, transfer_unlock
from apps.transfers.sharing import SharedTransfer
from apps.transfers.views.browser import browser_of

P = ParamSpec("P")
Found = TypeVar("Found", Transfer, SharedTransfer)
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
    """The transfer behind a link that opens.

    Raises NotFoundError, TooManyRequestsError and what `link_check` raises.
    """
    return _opened(request, Transfer.objects.linked(token).first)


def open_shared(request: HttpRequest, token: str) -> SharedTransfer:
    """What a recipient sees behind a link that opens, of a copy where there is one. Raises as `open_link` does."""
    return _opened(request, lambda: link_shared(token))


def _opened(request: HttpRequest, look: Callable[[], Found | None]) -> Found:
    """An open page that looks again for its files is not another opening, unless it finds nothing: recipients
    behind one address would else shut each other out.
    """
    looks_again = "HX-Request" in request.headers
    if not looks_again:
        throttle_hit(scope="link_open", key=client_address(request))
    transfer = look()
    if transfer is None:
        if looks_again:
            throttle_hit(scope="link_open", key=client_address(request))
        raise NotFoundError
    link_check(transfer=transfer)
    return transfer


def sender_transfer(request: HttpRequest, token: str) -> Transfer:
    """The transfer, for who controls it: its secret stands in `Transfer-Secret`, or its owner is signed in, or this is
    the browser that sent it without an account. Raises NotFoundError for everybody else.

    The secret's digest is looked up, never compared byte by byte: timing tells nothing. Only wrong tries are counted,
    so a page that looks every second is not. What a cookie proves needs the CSRF token for all that changes something
    (CsrfError); no other site can make a browser send our header.
    """
    secret = request.headers.get("Transfer-Secret", "")
    owner_id = request.user.pk if request.user.is_authenticated and request.user.is_active else None
    transfer = (
        Transfer.objects.controlled(token, secret=secret, owner_id=owner_id, browser=browser_of(request))
        .select_related("owner", "request")
        .first()
    )
    if transfer is None:
        throttle_hit(scope="link_open", key=client_address(request))
        raise NotFoundError
    if transfer.secret_digest != secret_digest(secret):
        csrf_check(request)
    return transfer


class _CsrfCheck(CsrfViewMiddleware):
    """Django's own check, for views that learn only inside whether they need it."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponseForbidden:
        raise CsrfError


def csrf_check(request: HttpRequest) -> None:
    """Let safe methods pass, and pages of ours. Raises CsrfError."""

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    _CsrfCheck(view).process_view(request, view, (), {})


def check_unlocked(request: HttpRequest, transfer: Transfer | SharedTransfer, *, address: str) -> None:
    """Let those pass who gave the password: in this session, or in the `Transfer-Password` header.

    Raises PasswordRequiredError, PasswordWrongError and TooManyRequestsError.
    """
    if not transfer.has_password or _holds_grant(request, transfer):
        return
    offered = header_text(request, "Transfer-Password")
    if not offered:
        raise PasswordRequiredError
    # Before the proof is looked at: it would else tell right from wrong to those who may not try any more.
    throttle_check(scope="password", key=_tries_key(transfer, address))
    if not password_known(transfer=transfer, password=offered, address=address):
        try_password(transfer, offered, address=address)


def try_password(transfer: Transfer | SharedTransfer, password: str, *, address: str) -> str:
    """The grant for the right password. Raises PasswordWrongError; TooManyRequestsError before it looks; NotFoundError
    when the transfer was removed meanwhile.
    """
    key = _tries_key(transfer, address)
    # Counted before it is known to be wrong, or tries at the same time would not be; then given back.
    throttle_hit(scope="password", key=key)
    grant = transfer_unlock(transfer=_whole(transfer), password=password, address=address)
    throttle_forget(scope="password", key=key)
    return grant


def _whole(transfer: Transfer | SharedTransfer) -> Transfer:
    """With the password's hash, which is in no copy."""
    if isinstance(transfer, Transfer):
        return transfer
    whole: Transfer | None = Transfer.objects.filter(pk=transfer.pk).first()
    if whole is None:
        raise NotFoundError
    return whole


def _tries_key(transfer: Transfer | SharedTransfer, address: str) -> str:
    return f"{transfer.pk}:{address}"


def keep_grant(request: HttpRequest, transfer: Transfer | SharedTransfer, grant: str) -> None:
    """Remember in the session that the password was given."""
    grants = {**request.session.get(_GRANTS, {}), str(transfer.pk): grant}
    request.session[_GRANTS] = dict(list(grants.items())[-_GRANTS_MAX:])


def _holds_grant(request: HttpRequest, transfer: Transfer | SharedTransfer) -> bool:
    held = request.session.get(_GRANTS, {}).get(str(transfer.pk), "")
    return constant_time_compare(held, transfer.grant)


def header_text(request: HttpRequest, name: str) -> str:
    """A header that may hold any character as UTF-8; WSGI hands it over as Latin-1."""
    return request.headers.get(name, "").encode("latin-1", "replace").decode("utf-8", "replace")
