"""Owns the admin's pages about uploads: who holds which lease, how far each is. To look, never to change."""

from typing import Any

from django.contrib import admin
from django.db.models import F, Model
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from apps.uploads.models import Part, Upload


class NeverByHand:
    """Offsets, parts and leases are the protocol's: one that a person changed would lose bytes."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """They are made by sending."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Looking needs the right to view only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Deleting the file takes its upload along, bytes included."""
        return False


class PartInline(NeverByHand, TabularInline):  # type: ignore[misc]
    """The durable runs of bytes, a page of them at a time."""

    model = Part
    per_page = 20
    hide_title = True
    fields = ("offset", "size", "key")


class ArrivalFilter(admin.SimpleListFilter):
    """Whether all bytes are there, and whether some are coming in."""

    title = "arrival"
    parameter_name = "arrival"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices."""
        return [
            ("held", "bytes are coming in"),
            ("waiting", "waits for its next byte"),
            ("expired", "waited too long"),
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
class UploadAdmin(NeverByHand, ModelAdmin):  # type: ignore[misc]
    """Uploads. Their ids are capabilities; staff may see them, the lease's token stays out of sight."""

    inlines = (PartInline,)
    list_display = ("file", "progress", "human_length", "holder", "created_at", "expires_at")
    list_filter = (ArrivalFilter, "created_at", "lease_instance")
    list_select_related = ("file",)
    search_fields = ("=id", "file__name", "=file__transfer__token", "=lease_instance")
    search_help_text = "Upload id, file name, the transfer's token, or an instance"
    date_hierarchy = "created_at"
    show_full_result_count = False
    exclude = ("lease_token",)

    @display(description="arrived", ordering="offset")
    def progress(self, upload: Upload) -> str:
        """The durable share of the bytes."""
        return f"{upload.offset * 100 // upload.length} %" if upload.length else "100 %"

    @display(description="size", ordering="length")
    def human_length(self, upload: Upload) -> str:
        """Bytes as people read them."""
        return filesizeformat(upload.reserved if upload.length is None else upload.length)

    @display(description="held by", ordering="lease_instance", empty_value="nobody")
    def holder(self, upload: Upload) -> str | None:
        """The instance that appends right now."""
        held = upload.lease_until is not None and upload.lease_until > timezone.now()
        return upload.lease_instance if held else None
