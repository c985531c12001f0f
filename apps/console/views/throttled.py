"""Owns the page of addresses that throttles refuse, with the button that lets one in."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from redis.exceptions import RedisError

from apps.common.errors import InvalidInputError
from apps.console.auditing import audit_write
from apps.console.views.pages import back_refused, back_with, console_page, framed
from apps.throttling.refused import refusal_forget, refusals_seen
from apps.throttling.services import throttle_forget


@require_safe
@console_page("console.let_in")
def throttled(request: HttpRequest) -> HttpResponse:
    """Whom a throttle refused within the last hour."""
    return framed(request, "console/throttled.html", _("Throttled addresses"), _context())


def _context() -> dict[str, Any]:
    try:
        rows = refusals_seen()
    except (RedisError, OSError):
        return {"seen": False}
    shown = [{"row": row, "at": datetime.fromtimestamp(row.at, UTC)} for row in rows]
    return {"seen": True, "rows": shown, "rates": settings.THROTTLES}


@require_POST
@console_page("console.let_in")
def let_in(request: HttpRequest) -> HttpResponse:
    """Start somebody's count anew."""
    scope, key = request.POST.get("scope", ""), request.POST.get("key", "")
    where = reverse("console:throttled")
    if scope not in settings.THROTTLES or not key:
        return back_refused(request, where, InvalidInputError())
    with transaction.atomic():
        audit_write(request, "throttled_let_in", label=f"{scope}: {key}")
        throttle_forget(scope=scope, key=key)
    try:
        refusal_forget(scope=scope, key=key)
    except (RedisError, OSError):
        # It goes by itself within the hour.
        return back_with(request, where, _("They may try again once Redis is back."))
    return back_with(request, where, _("%(who)s may try again now.") % {"who": key})
