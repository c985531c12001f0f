"""Owns the page of what the store holds and whose it is. Adds up nothing: a worker does."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from apps.console.models import Stock
from apps.console.views.pages import console_page, framed
from apps.transfers.rules import FileState


@require_safe
@console_page("transfers.view_transfer")
def storage(request: HttpRequest) -> HttpResponse:
    """The last count."""
    stock = Stock.objects.newest()
    return framed(request, "console/storage.html", _("Storage"), {"stock": stock, **_shares(stock)})


def _shares(stock: Stock | None) -> dict[str, object]:
    if stock is None:
        return {}
    whole = stock.used_bytes + (stock.free_bytes or 0)
    states = [(state.value, *stock.by_state.get(state.value, (0, 0))) for state in FileState]
    accounts = [
        {"id": pk, "name": name, "used": used, "quota": quota, "share": _percent(used, quota)}
        for pk, name, used, quota in stock.accounts
    ]
    return {
        "share": _percent(stock.used_bytes, whole) if stock.free_bytes is not None else None,
        "states": states,
        "accounts": accounts,
        "min_free": settings.MIN_FREE_BYTES,
    }


def _percent(part: int, whole: int | None) -> int | None:
    return min(100, round(100 * part / whole)) if whole else None
