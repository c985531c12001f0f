"""Owns the admin's pages about links that ask for files, and mails that carry a link. To look, and to end a request."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.console.admin.base import ConsoleAdmin, LookOnly, NeverByHand, SearchedWhole
from apps.console.searching import transfer_ids
from apps.transfers.models import FileRequest, LinkMail
from apps.transfers.rules import MailState


@admin.register(FileRequest)
class FileRequestAdmin(SearchedWhole, LookOnly, ConsoleAdmin):
    """Links through which others send to their owner."""

    list_display = ("shown", "owner", "created_at", "expires_at", "closed_at")
    sortable_by = ("created_at", "expires_at")
    list_filter = ("created_at",)
    list_select_related = ("owner",)
    search_fields = ("=token", "=owner__username", "=owner__email", "title__istartswith")
    export_columns = (
        *(("id", "id"), ("title", "title"), ("owner", "owner__username")),
        *(("created", "created_at"), ("expires", "expires_at"), ("closed", "closed_at")),
    )

    @display(description=_("request"))
    def shown(self, request: FileRequest) -> str:
        """Its title, or the token of those without."""
        return str(request)


@admin.register(LinkMail)
class LinkMailAdmin(NeverByHand, ConsoleAdmin):
    """Mails on their way, sent, or failed with a reason."""

    list_display = ("address", "coloured_state", "reason", "attempts", "transfer", "created_at", "sent_at")
    sortable_by = ("created_at",)
    ordering = ("-created_at",)
    list_filter = ("state", "created_at")
    list_select_related = ("transfer",)
    search_fields = ("address",)  # what is really searched: get_search_results
    search_help_text = _("An address, or words of a transfer's title")
    exclude = ("claim_token",)
    export_columns = (
        *(("address", "address"), ("state", "state"), ("reason", "reason"), ("attempts", "attempts")),
        *(("transfer", "transfer_id"), ("created", "created_at"), ("sent", "sent_at")),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By indexes only."""
        term = search_term.strip()
        if "@" in term:
            return queryset.filter(address=term), False
        return (queryset.filter(transfer__in=transfer_ids(term)) if term else queryset), False

    @display(
        description=_("state"),
        label={
            MailState.SENT.value: "success",
            MailState.WAITING.value: "info",
            MailState.FAILED.value: "danger",
        },
    )
    def coloured_state(self, mail: LinkMail) -> str:
        """waiting, sent or failed."""
        return mail.state
