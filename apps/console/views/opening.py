"""Owns the page between the console and what somebody sent: nobody of staff opens it by accident."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from apps.console.views.pages import console_page, framed
from apps.transfers.models import Transfer


@require_safe
@console_page("transfers.view_transfer")
def opening(request: HttpRequest, transfer_id: uuid.UUID) -> HttpResponse:
    """Says what it is before it is opened."""
    transfer = get_object_or_404(Transfer, pk=transfer_id)
    return framed(request, "console/open.html", _("Open what somebody sent?"), {"transfer": transfer})
