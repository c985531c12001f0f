"""Owns the admin's pages about uploads: who holds which lease, how far each is. To look, never to change."""

from typing import Any

from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display

from apps.console.admin.base import ConsoleAdmin, NeverByHand
from apps.console.searching import as_uuid, file_ids
from apps.uploads.models import Part, Upload


class PartInline(NeverByHand, TabularInline):
    """The durable runs of bytes, a page of them at a time."""

    model = Part
    per_page = 20
    hide_title = True
    fields = ("offset", "size", "key")


class ArrivalFilter(admin.SimpleListFilter):
    """Whether all bytes are there, and whether some are coming in."""

    title = _("arrival")
    parameter_name = "arrival"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The choices."""
        return [
            ("held", _("bytes are coming in")),
            ("waiting", _("waits for its next byte")),
            ("expired", _("waited too long")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Reads of the model's own."""
        now = timezone.now()
        choices = {
            "held": lambda: queryset.filter(lease_until__gt=now),
            "waiting": lambda: queryset.free().filter(expires_at__gte=now, offset__lt=F("length")),
            "expired": lambda: queryset.expired(now),
        }
        chosen = choices.get(self.value() or "")
        return chosen() if chosen else queryset


@admin.register(Upload)
class UploadAdmin(NeverByHand, ConsoleAdmin):
    """Uploads in progress: whose bytes lie in staging, or will. Those that are done are files.

    Their ids are capabilities; staff may see them, the lease's token stays out of sight.
    """

    inlines = (PartInline,)
    list_display = ("shown", "progress", "human_length", "speed", "holder", "created_at", "expires_at")
    sortable_by = ("created_at",)
    list_filter = (ArrivalFilter, "created_at")
    list_select_related = ("file",)
    search_fields = ("id",)  # what is really searched: get_search_results
    search_help_text = _("Upload id, words of the file's name, a transfer's link, or an instance")
    exclude = ("lease_token",)
    export_columns = (
        *(("file", "file__name"), ("arrived", "offset"), ("length", "length"), ("held by", "holder")),
        *(("created", "created_at"), ("expires", "expires_at")),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Upload]:
        """The index of those reads only as many as there are."""
        return Upload.objects.filter(staged=True)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By indexes only."""
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(file__in=file_ids(term)) | Q(lease_instance=term)
        return queryset.filter(wanted | Q(pk=key) if (key := as_uuid(term)) else wanted), False

    @display(description=_("file"))
    def shown(self, upload: Upload) -> str:
        """The file's name; a part of one has none yet."""
        return str(upload.file or _("part of a file"))

    @display(description=_("speed"))
    def speed(self, upload: Upload) -> str:
        """Durable bytes a second since it began, while bytes come in."""
        seconds = (timezone.now() - upload.created_at).total_seconds()
        held = self.holder(upload) is not None and seconds >= 1
        return f"{filesizeformat(upload.offset / seconds)}/s" if held else ""

    @display(description=_("arrived"))
    def progress(self, upload: Upload) -> str:
        """The durable share of the bytes."""
        return f"{upload.offset * 100 // upload.length} %" if upload.length else "100 %"

    @display(description=_("size"))
    def human_length(self, upload: Upload) -> str:
        """Bytes as people read them."""
        return filesizeformat(upload.reserved if upload.length is None else upload.length)

    @display(description=_("held by"), empty_value=_("nobody"))
    def holder(self, upload: Upload) -> str | None:
        """The instance that appends right now."""
        held = upload.lease_until is not None and upload.lease_until > timezone.now()
        return upload.lease_instance if held else None
