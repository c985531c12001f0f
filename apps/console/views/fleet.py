"""Owns the dashboard's refresh and the page of the live fleet, with the button that drains one instance."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.common.errors import SpillwayError
from apps.console.auditing import audit_write
from apps.console.dashboard import dashboard, gates
from apps.console.draining import instance_drain
from apps.console.readings import hour_read
from apps.console.views.pages import back_refused, back_with, console_page, framed
from apps.lifecycle.models import DrainOrder

_ORDERS_SHOWN = 10


@require_safe
@console_page()
def dashboard_part(request: HttpRequest) -> HttpResponse:
    """What the index page shows, for its refresh."""
    return render(request, "console/_dashboard.html", dashboard())


@require_safe
@console_page("console.view_fleet")
def fleet(request: HttpRequest) -> HttpResponse:
    """Each instance, and what was ordered lately."""
    return framed(request, "console/fleet.html", _("Fleet"), _fleet_context())


def _fleet_context() -> dict[str, Any]:
    hour = hour_read()
    orders = list(DrainOrder.objects.order_by("-ordered_at")[:_ORDERS_SHOWN])
    return {"hour": hour, "gates": gates(hour), "orders": orders}


@require_http_methods(["GET", "HEAD", "POST"])
@console_page("console.drain_instance")
def drain(request: HttpRequest, instance: str) -> HttpResponse:
    """GET asks; POST orders it."""
    where = reverse("console:fleet")
    if request.method != "POST":
        return framed(request, "console/drain.html", _("Drain an instance"), {"instance": instance})
    try:
        with transaction.atomic():
            order = instance_drain(
                instance=instance, by=request.user.get_username(), reason=request.POST.get("reason", "")
            )
            audit_write(
                request, "instance_drained", target=order, label=instance, after={"reason": order.reason}
            )
    except SpillwayError as refusal:
        return back_refused(request, where, refusal)
    words = _(
        "%(instance)s was told to drain. It takes no new requests, ends, and a fresh one takes its place."
    )
    return back_with(request, where, words % {"instance": instance})
