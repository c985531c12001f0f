"""Owns the admin's page about files, and what it shares with that of transfers: colours, and how rows with bytes go."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.console.admin.base import ConsoleAdmin, LookOnly
from apps.console.searching import file_ids
from apps.transfers.caching import transfer_changed
from apps.transfers.models import File
from apps.transfers.rules import FileState, TransferState
from apps.transfers.services import file_delete

STATE_COLOURS = {
    TransferState.READY.value: "success",
    TransferState.PROCESSING.value: "info",
    TransferState.UPLOADING.value: "warning",
    FileState.REJECTED.value: "danger",
}


class RemovedByService:
    """For rows that own bytes: their service removes rows and bytes, in the order that it locks them in."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], list[str]]:
        """What the page that asks "are you sure" shows: the chosen rows.

        Not what hangs on them: that may be thousands of parts, and their own page refuses to remove them.
        """
        names = [str(row) for row in objs]
        return names, {"chosen": len(names)}, set(), []


@admin.register(File)
class FileAdmin(RemovedByService, LookOnly, ConsoleAdmin):
    """Files: what arrived, what it was taken for, and why one was refused."""

    list_display = (
        *("name", "coloured_state", "human_size", "content_type", "transfer", "download_count", "created_at"),
    )
    sortable_by = ("created_at",)
    list_filter = ("state", "created_at")
    list_select_related = ("transfer",)
    ordering = ("-created_at",)
    search_fields = ("name",)  # what is really searched: get_search_results
    search_help_text = _("Words of the name, a SHA-256, or a transfer's link")
    exclude = ("claim_token",)
    readonly_fields = ("attempts", "claimed_until", "trouble")
    export_columns = (
        *(("id", "id"), ("name", "path"), ("state", "state"), ("reason", "reason"), ("bytes", "size")),
        *(("type", "content_type"), ("sha256", "sha256"), ("downloads", "download_count")),
        *(("transfer", "transfer_id"), ("created", "created_at"), ("ready", "ready_at")),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By indexes only."""
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=file_ids(search_term)), False

    def delete_model(self, request: HttpRequest, obj: File) -> None:
        """With its bytes."""
        transfer_changed(obj.transfer_id)
        file_delete(file=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[File]) -> None:
        """One by one: each has bytes to remove."""
        for file in queryset.select_related("transfer"):
            self.delete_model(request, file)

    @display(description=_("state"), label=STATE_COLOURS)
    def coloured_state(self, file: File) -> str:
        """uploading, processing, ready or rejected."""
        return file.state

    @display(description=_("size"))
    def human_size(self, file: File) -> str:
        """Bytes as people read them."""
        return filesizeformat(file.size)
