"""Owns the admin's pages about transfers and files: look, change what a sender chose, remove. No rules."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, Model, QuerySet, Sum
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState, TransferState, has_expired, transfer_state
from apps.transfers.services import file_delete, transfer_delete

STATE_COLOURS = {
    TransferState.READY.value: "success",
    TransferState.PROCESSING.value: "info",
    TransferState.UPLOADING.value: "warning",
    FileState.REJECTED.value: "danger",
}


class LookOnly:
    """For rows that instances and workers race on: a form that writes back what it read undoes their work."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """They are made by sending."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Looking needs the right to view only."""
        return False


class RemovedByService:
    """For rows that own bytes: their service removes rows and bytes, in the order that it locks them in."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], list[str]]:
        """What the page that asks "are you sure" shows: the chosen rows.

        Not what hangs on them: that may be thousands of parts, and their own page refuses to remove them.
        """
        names = [str(row) for row in objs]
        return names, {"chosen": len(names)}, set(), []


class ExpiryFilter(admin.SimpleListFilter):
    """Whether the link still works."""

    title = "link"
    parameter_name = "link"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The two choices."""
        return [("works", "works"), ("expired", "expired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """By the same clock as the links themselves."""
        now: datetime = timezone.now()
        if self.value() == "works":
            return queryset.filter(expires_at__gte=now)
        return queryset.filter(expires_at__lt=now) if self.value() == "expired" else queryset


class FileInline(LookOnly, TabularInline):  # type: ignore[misc]
    """A transfer's files, a page of them at a time: there may be a thousand."""

    model = File
    per_page = 20
    hide_title = True
    fields = ("linked_name", "human_size", "state", "content_type", "download_count", "created_at")
    readonly_fields = fields
    can_delete = False

    @display(description="name")
    def linked_name(self, file: File) -> SafeString:
        """The way to the file's own page."""
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:transfers_file_change", args=[file.pk]), file.name
        )

    @display(description="size")
    def human_size(self, file: File) -> str:
        """Bytes as people read them."""
        return filesizeformat(file.size)


class TransferForm(forms.ModelForm):  # type: ignore[type-arg]  # Django has no such subscript at run time
    """What may be changed by hand."""

    class Meta:
        model = Transfer
        fields = ("title", "message", "expires_at", "download_limit")

    def clean_download_limit(self) -> int | None:
        """Refuse what the table's constraint would refuse, in words."""
        limit: int | None = self.cleaned_data["download_limit"]
        if limit is not None and limit < self.instance.download_count:
            raise forms.ValidationError(f"There were {self.instance.download_count} downloads already.")
        return limit


@admin.register(Transfer)
class TransferAdmin(RemovedByService, ModelAdmin):  # type: ignore[misc]
    """Transfers. The token is shown: staff may open any link. The secret and the password are not."""

    form = TransferForm
    inlines = (FileInline,)
    list_display = (
        "name",
        "state",
        "file_total",
        "size_total",
        "downloads",
        "owner",
        "created_at",
        "link_until",
    )
    list_filter = (ExpiryFilter, "created_at", ("owner", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("owner",)
    search_fields = ("title", "=token", "owner__username", "owner__email", "files__name")
    search_help_text = "Title, token, owner, or a file's name"
    date_hierarchy = "created_at"
    readonly_fields = ("link", "owner", "has_password", "download_count", "created_at")
    fields = (
        *("title", "message", "link", "owner", "has_password"),
        *("download_limit", "download_count", "created_at", "expires_at"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transfer]:
        """All that the list shows, in one query however many transfers there are."""
        return Transfer.objects.annotate(
            file_count=Count("files"),
            bytes_sum=Sum("files__size"),
            states=ArrayAgg("files__state", distinct=True),
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A transfer made here would have a sender's secret that nobody knows."""
        return False

    def save_model(self, request: HttpRequest, obj: Transfer, form: Any, change: bool) -> None:
        """Write only what was changed: downloads are counted in this row while somebody looks at the form."""
        if form.changed_data:
            obj.save(update_fields=form.changed_data)

    def delete_model(self, request: HttpRequest, obj: Transfer) -> None:
        """With its bytes."""
        transfer_delete(transfer=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Transfer]) -> None:
        """One by one: each has bytes to remove."""
        for transfer in queryset:
            transfer_delete(transfer=transfer)

    @display(description="transfer", ordering="title")
    def name(self, transfer: Transfer) -> str:
        """The title, or the token of those without."""
        return str(transfer)

    @display(description="state", label=STATE_COLOURS)
    def state(self, transfer: Transfer) -> str:
        """What the files add up to."""
        states = transfer.states or ()  # type: ignore[attr-defined]
        return transfer_state(state for state in states if state).value

    @display(description="files", ordering="file_count")
    def file_total(self, transfer: Transfer) -> int:
        """How many there are."""
        return int(transfer.file_count)  # type: ignore[attr-defined]

    @display(description="size", ordering="bytes_sum")
    def size_total(self, transfer: Transfer) -> str:
        """Bytes of all files, announced ones included."""
        return filesizeformat(transfer.bytes_sum or 0)  # type: ignore[attr-defined]

    @display(description="downloads", ordering="download_count")
    def downloads(self, transfer: Transfer) -> str:
        """Made, of how many."""
        limit = transfer.download_limit
        return str(transfer.download_count) if limit is None else f"{transfer.download_count} of {limit}"

    @display(description="expires", ordering="expires_at", label={"expired": "danger"})
    def link_until(self, transfer: Transfer) -> str:
        """When the link stops working, in days of the site's time zone."""
        if has_expired(transfer.expires_at, timezone.now()):
            return "expired"
        return f"{timezone.localtime(transfer.expires_at):%d %b %Y}"

    @display(description="password", boolean=True)
    def has_password(self, transfer: Transfer) -> bool:
        """Whether the link asks for one."""
        return bool(transfer.password)

    @display(description="link")
    def link(self, transfer: Transfer) -> SafeString:
        """What a recipient opens."""
        return format_html('<a href="{0}">{0}</a>', transfer.get_absolute_url())


@admin.register(File)
class FileAdmin(RemovedByService, LookOnly, ModelAdmin):  # type: ignore[misc]
    """Files: what arrived, what it was taken for, and why one was refused."""

    list_display = (
        "name",
        "coloured_state",
        "human_size",
        "content_type",
        "transfer",
        "download_count",
        "created_at",
    )
    list_filter = ("state", "created_at", "content_type")
    list_select_related = ("transfer",)
    ordering = ("-created_at",)
    search_fields = ("name", "=sha256", "=transfer__token", "transfer__title", "=id")
    search_help_text = "Name, SHA-256, or the transfer's title or token"
    date_hierarchy = "created_at"
    show_full_result_count = False
    exclude = ("claim_token",)
    readonly_fields = ("attempts", "claimed_until")

    def delete_model(self, request: HttpRequest, obj: File) -> None:
        """With its bytes."""
        file_delete(file=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[File]) -> None:
        """One by one: each has bytes to remove."""
        for file in queryset.select_related("transfer"):
            file_delete(file=file)

    @display(description="state", ordering="state", label=STATE_COLOURS)
    def coloured_state(self, file: File) -> str:
        """uploading, processing, ready or rejected."""
        return file.state

    @display(description="size", ordering="size")
    def human_size(self, file: File) -> str:
        """Bytes as people read them."""
        return filesizeformat(file.size)
