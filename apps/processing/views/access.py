"""Owns the way in to what belongs to a link: the link opens, the password was given, or the page that says why not."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse

from apps.common.errors import SpillwayError
from apps.throttling.address import client_address
from apps.transfers.errors import PasswordRequiredError, PasswordWrongError
from apps.transfers.sharing import SharedTransfer
from apps.transfers.views.access import check_unlocked, open_shared, private
from apps.transfers.views.closed import closed_page, password_page

P = ParamSpec("P")


def behind_link(
    view: Callable[Concatenate[HttpRequest, SharedTransfer, P], HttpResponse],
) -> Callable[..., HttpResponse]:
    """Give the view the transfer of `token`, once this visitor may see it. What the view refuses has a page too."""

    @private
    @wraps(view)
    def wrapper(request: HttpRequest, /, token: str, **kwargs: Any) -> HttpResponse:
        try:
            transfer = open_shared(request, token)
        except SpillwayError as error:
            return closed_page(request, error)
        try:
            check_unlocked(request, transfer, address=client_address(request))
            return view(request, transfer, **kwargs)  # type: ignore[call-arg]  # kwargs are the address's
        except (PasswordRequiredError, PasswordWrongError) as error:
            return password_page(request, transfer, error)
        except SpillwayError as error:
            return closed_page(request, error)

    return wrapper
