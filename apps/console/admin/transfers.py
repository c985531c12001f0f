"""Owns the admin's pages about transfers: look, change what a sender chose, take down, remove. No rules.

Safe to look at: names, sizes and types, never content; what leads to content asks first.
"""

import uuid
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import action, display

from apps.common.errors import SpillwayError
from apps.console.admin.base import ConsoleAdmin, LookOnly, ask
from apps.console.admin.files import STATE_COLOURS, RemovedByService
from apps.console.auditing import audit_write
from apps.console.models import Report
from apps.console.reporting import reports_settle
from apps.console.searching import transfer_ids
from apps.console.vocabulary import ReportState
from apps.throttling.blocking import block_create
from apps.transfers.caching import transfer_changed
from apps.transfers.models import File, Transfer
from apps.transfers.moderating import transfer_restore, transfer_take_down
from apps.transfers.rules import LinkState, transfer_state
from apps.transfers.services import transfer_delete
from apps.uploads.models import Upload

LINK_COLOURS = {
    LinkState.EXPIRED.value: "warning",
    LinkState.CLOSED.value: "info",
    LinkState.TAKEN_DOWN.value: "danger",
}


class LinkFilter(admin.SimpleListFilter):
    """Whether the link opens, or why not."""

    title = _("link")
    parameter_name = "link"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The choices."""
        return [
            ("works", _("works")),
            (LinkState.EXPIRED.value, _("expired")),
            (LinkState.CLOSED.value, _("closed by its sender")),
            (LinkState.TAKEN_DOWN.value, _("taken down")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """By the same clock as the links themselves. Each has an index of its own."""
        now: datetime = timezone.now()
        choices: dict[str, dict[str, Any]] = {
            "works": {"expires_at__gte": now, "closed_at": None, "taken_down_at": None},
            LinkState.EXPIRED.value: {"expires_at__lt": now},
            LinkState.CLOSED.value: {"closed_at__isnull": False},
            LinkState.TAKEN_DOWN.value: {"taken_down_at__isnull": False},
        }
        return queryset.filter(**choices.get(self.value() or "", {}))


class FileInline(LookOnly, TabularInline):
    """A transfer's files, a page of them at a time: there may be a thousand."""

    model = File
    per_page = 20
    hide_title = True
    fields = ("linked_name", "human_size", "state", "content_type", "download_count", "created_at")
    readonly_fields = fields
    can_delete = False

    @display(description=_("name"))
    def linked_name(self, file: File) -> SafeString:
        """The way to the file's own page."""
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:transfers_file_change", args=[file.pk]), file.path
        )

    @display(description=_("size"))
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
class TransferAdmin(RemovedByService, ConsoleAdmin):
    """Transfers. The token is shown: staff may open any link. The secret and the password are not."""

    form = TransferForm
    inlines = (FileInline,)
    list_display = (
        *("name", "state", "link_state", "file_total", "size_total", "downloads", "reported"),
        *("owner", "created_at", "expires_at"),
    )
    sortable_by = ("created_at", "expires_at")
    list_filter = (LinkFilter, "created_at")
    list_select_related = ("owner",)
    search_fields = ("token",)  # what is really searched: get_search_results
    search_help_text = _("Words of the title or of a file's name, a link, or an account")
    readonly_fields = (
        *("link", "owner", "has_password", "download_count", "created_at"),
        *("closed_at", "taken_down_at", "take_down_reason"),
    )
    fields = (
        *("title", "message", "link", "owner", "has_password", "download_limit", "download_count"),
        *("created_at", "expires_at", "closed_at", "taken_down_at", "take_down_reason"),
    )
    actions_detail = ("take_down", "restore", "block_sender")
    export_columns = (
        *(("id", "id"), ("title", "title"), ("state", "state"), ("link", "link_state")),
        *(("files", "file_total"), ("bytes", "bytes_total"), ("downloads", "download_count")),
        *(("owner", "owner__username"), ("created", "created_at"), ("expires", "expires_at")),
        *(("taken down", "taken_down_at"), ("reason", "take_down_reason")),
    )

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """The newest first; of those that expired, who expired last: else all that work would be passed over."""
        expired = request.GET.get("link") == LinkState.EXPIRED.value
        return ("-expires_at",) if expired else ("-created_at",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By indexes only."""
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=transfer_ids(search_term)), False

    def add_facts(self, rows: list[Any]) -> None:
        """What the files of this page's transfers add up to, and how many reports there are of each."""
        facts = defaultdict[uuid.UUID, dict[str, tuple[int, int]]](dict)
        files = File.objects.filter(transfer__in=rows).order_by().values_list("transfer_id", "state")
        for transfer_id, state, count, size in files.annotate(Count("pk"), Sum("size")):
            facts[transfer_id][state] = (count, size)
        reports = Report.objects.filter(transfer__in=rows).order_by().values_list("transfer_id")
        counts = dict(reports.annotate(Count("pk")))
        for row in rows:
            row.of_states, row.report_count = facts[row.pk], counts.get(row.pk, 0)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A transfer made here would have a sender's secret that nobody knows."""
        return False

    def save_model(self, request: HttpRequest, obj: Transfer, form: Any, change: bool) -> None:
        """Write only what was changed: downloads are counted in this row while somebody looks at the form."""
        if form.changed_data:
            obj.save(update_fields=form.changed_data)
            transfer_changed(obj.token)

    def delete_model(self, request: HttpRequest, obj: Transfer) -> None:
        """With its bytes."""
        transfer_changed(obj.token)
        transfer_delete(transfer=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Transfer]) -> None:
        """One by one: each has bytes to remove."""
        for transfer in queryset:
            self.delete_model(request, transfer)

    def has_moderate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may take transfers down."""
        return request.user.has_perm("console.moderate")

    def has_block_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may block senders."""
        return request.user.has_perm("throttling.add_block")

    @action(description=_("Take down…"), url_path="take-down", permissions=["moderate"])
    def take_down(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Close the link at once; the files stay for some days. Open reports of it are resolved."""
        transfer = get_object_or_404(Transfer, pk=object_id)
        reason = {
            "name": "reason",
            "label": _("Why (for the audit log and your colleagues)"),
            "required": True,
        }
        words = _(
            "“%(name)s” opens for nobody from now on. It can be restored within days, then it is removed."
        )
        if request.method != "POST":
            return ask(
                self, request, title=_("Take down"), words=words % {"name": transfer}, fields=[reason],
                button=_("Take it down"),
            )  # fmt: skip
        given = request.POST.get("reason", "")

        def do() -> None:
            transfer_take_down(transfer_id=transfer.pk, reason=given)
            open_ids = list(Report.objects.open().filter(transfer=transfer).values_list("pk", flat=True))
            reports_settle(report_ids=open_ids, state=ReportState.RESOLVED, by=request.user.get_username())
            audit_write(
                request, "transfer_taken_down", target=transfer, after={"reason": given, "reports": len(open_ids)}
            )  # fmt: skip

        return self._done(request, object_id, do, _("It is taken down."))

    @action(description=_("Restore…"), url_path="restore", permissions=["moderate"])
    def restore(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Open the link again."""
        transfer = get_object_or_404(Transfer, pk=object_id)
        words = _("The link of “%(name)s” works again, for as long as it had left when it was taken down.")
        if request.method != "POST":
            return ask(
                self, request, title=_("Restore"), words=words % {"name": transfer}, fields=[], button=_("Restore it")
            )  # fmt: skip

        def do() -> None:
            transfer_restore(transfer_id=transfer.pk)
            audit_write(
                request, "transfer_restored", target=transfer, before={"reason": transfer.take_down_reason}
            )

        return self._done(request, object_id, do, _("Its link works again."))

    @action(description=_("Block the sender…"), url_path="block-sender", permissions=["block"])
    def block_sender(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Nothing new from whoever sent this: by account, else by the digest of the address."""
        transfer = get_object_or_404(Transfer.objects.select_related("owner"), pk=object_id)
        fields: list[dict[str, Any]] = [
            {"name": "reason", "label": _("Why"), "required": True},
            {"name": "until", "label": _("Until (empty: for good)"), "type": "date"},
        ]
        if request.method != "POST":
            return ask(
                self, request, title=_("Block the sender"), fields=fields, button=_("Block them"),
                words=_("They cannot make a transfer or an upload any more. What is here stays as it is."),
            )  # fmt: skip

        def do() -> None:
            block = block_create(
                account_id=transfer.owner_id,
                digest="" if transfer.owner_id else _sender_digest(transfer),
                shown=transfer.owner.get_username() if transfer.owner else f"sender of “{transfer}”",
                reason=request.POST.get("reason", ""),
                by=request.user.get_username(),
                until=_end_of(request.POST.get("until", "")),
            )
            audit_write(request, "sender_blocked", target=block, after={"reason": block.reason})

        return self._done(request, object_id, do, _("The sender is blocked."))

    def _done(self, request: HttpRequest, object_id: str, do: Any, words: Any) -> HttpResponse:
        """Do it with its audit entry, and go back to say so, or why not."""
        try:
            with transaction.atomic():
                do()
            messages.success(request, words)
        except SpillwayError as refusal:
            messages.error(request, f"{refusal.text} {refusal.what_to_do}")
        return HttpResponseRedirect(reverse("admin:transfers_transfer_change", args=[object_id]), status=303)

    @display(description=_("transfer"))
    def name(self, transfer: Transfer) -> str:
        """The title, or the token of those without."""
        return str(transfer)

    @display(description=_("state"), label=STATE_COLOURS)
    def state(self, transfer: Transfer) -> str:
        """What the files add up to."""
        return transfer_state(transfer.of_states).value  # type: ignore[attr-defined]  # of the query that the list is made by

    @display(description=_("link"), label=LINK_COLOURS)
    def link_state(self, transfer: Transfer) -> str:
        """Whether it opens."""
        return transfer.link_state(timezone.now()).value

    @display(description=_("files"))
    def file_total(self, transfer: Transfer) -> int:
        """How many there are."""
        return sum(count for count, _size in transfer.of_states.values())  # type: ignore[attr-defined]  # of the query that the list is made by

    @display(description=_("size"))
    def size_total(self, transfer: Transfer) -> str:
        """Bytes of all files, announced ones included."""
        return filesizeformat(self.bytes_total(transfer))

    def bytes_total(self, transfer: Transfer) -> int:
        """The same as a number."""
        return sum(size for _count, size in transfer.of_states.values())  # type: ignore[attr-defined]  # of the query that the list is made by

    @display(description=_("downloads"))
    def downloads(self, transfer: Transfer) -> str:
        """Made, of how many."""
        limit = transfer.download_limit
        return str(transfer.download_count) if limit is None else f"{transfer.download_count} of {limit}"

    @display(description=_("reports"))
    def reported(self, transfer: Transfer) -> str:
        """How often it was reported."""
        return str(transfer.report_count or "")  # type: ignore[attr-defined]  # of the query that the list is made by

    @display(description=_("password"), boolean=True)
    def has_password(self, transfer: Transfer) -> bool:
        """Whether the link asks for one."""
        return bool(transfer.password)

    @display(description=_("link"))
    def link(self, transfer: Transfer) -> SafeString:
        """What a recipient opens: by way of a page that warns."""
        path = transfer.get_absolute_url()
        return format_html(
            '<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>',
            reverse("console:open", args=[transfer.pk]),
            path,
        )


def _sender_digest(transfer: Transfer) -> str:
    """Who sent it, as its uploads know it; empty when those are gone."""
    sent = Upload.objects.filter(transfer=transfer).exclude(address="").order_by("-created_at")
    return sent.values_list("address", flat=True).first() or ""


def _end_of(day: str) -> datetime | None:
    """The end of a day, in UTC."""
    if not day:
        return None
    try:
        date = parse_date(day)
    except ValueError:
        date = None
    if date is None:
        raise PermissionDenied
    midnight = datetime(date.year, date.month, date.day, tzinfo=timezone.get_current_timezone())
    return midnight + timedelta(days=1)
