"""Owns the admin's pages about reports of abuse and blocked senders."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from apps.console.admin.base import ConsoleAdmin, NeverByHand, SearchedWhole
from apps.console.auditing import audit_write
from apps.console.models import Report
from apps.console.reporting import reports_settle
from apps.console.searching import transfer_ids
from apps.console.vocabulary import ReportState
from apps.throttling.blocking import block_create, block_lift
from apps.throttling.models import Block


@admin.register(Report)
class ReportAdmin(NeverByHand, ConsoleAdmin):
    """What visitors say is wrong."""

    list_display = (
        "why",
        "coloured_state",
        "linked_transfer",
        "of_same",
        "text_begins",
        "created_at",
        "settled_by",
    )
    sortable_by = ("created_at",)
    list_filter = ("state", "reason", "created_at")
    list_select_related = ("transfer",)
    search_fields = ("token",)  # what is really searched: get_search_results
    search_help_text = _("A link, or words of a transfer's title")
    actions = ("resolve", "dismiss")
    exclude = ("token",)
    readonly_fields = ("linked_transfer",)
    export_columns = (
        *(("id", "id"), ("reason", "reason"), ("state", "state"), ("text", "text"), ("e-mail", "email")),
        *(("transfer", "transfer_id"), ("created", "created_at"), ("settled by", "settled_by")),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By indexes only."""
        if not search_term.strip():
            return queryset, False
        return queryset.filter(transfer__in=transfer_ids(search_term)), False

    def add_facts(self, rows: list[Any]) -> None:
        """How many reports there are of each one's transfer."""
        ids = {row.transfer_id for row in rows if row.transfer_id}
        reports = Report.objects.filter(transfer__in=ids).order_by().values_list("transfer_id")
        counts = dict(reports.annotate(Count("pk")))
        for row in rows:
            row.same = counts.get(row.transfer_id, 1)

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        """Who may settle them."""
        return request.user.has_perm("console.moderate")

    @admin.action(description=_("Resolve: it was right, something was done"), permissions=["moderate"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[Report]) -> None:
        """Something was done about them."""
        self._settle(request, queryset, ReportState.RESOLVED)

    @admin.action(description=_("Dismiss: nothing is wrong"), permissions=["moderate"])
    def dismiss(self, request: HttpRequest, queryset: QuerySet[Report]) -> None:
        """Nothing is wrong."""
        self._settle(request, queryset, ReportState.DISMISSED)

    def _settle(self, request: HttpRequest, queryset: QuerySet[Report], state: ReportState) -> None:
        reports = list(queryset.open())  # type: ignore[attr-defined]  # of the query that the list is made by
        by = request.user.get_username()
        count = reports_settle(report_ids=[report.pk for report in reports], state=state, by=by)
        for report in reports:
            audit_write(request, f"report_{state.value}", target=report)
        words = ngettext("%(n)d report is settled.", "%(n)d reports are settled.", count)
        messages.success(request, words % {"n": count})

    @display(description=_("reason"))
    def why(self, report: Report) -> str:
        """In words."""
        return report.get_reason_display()

    @display(description=_("state"), label={"open": "danger", "resolved": "success", "dismissed": "info"})
    def coloured_state(self, report: Report) -> str:
        """open, resolved or dismissed."""
        return report.state

    @display(description=_("reports of it"))
    def of_same(self, report: Report) -> int:
        """Of the same transfer, this one included."""
        return int(report.same)  # type: ignore[attr-defined]  # of the query that the list is made by

    @display(description=_("text"))
    def text_begins(self, report: Report) -> str:
        """How it begins."""
        return report.text[:80]

    @display(description=_("transfer"))
    def linked_transfer(self, report: Report) -> SafeString | str:
        """The way to the transfer's page, where it can be taken down."""
        if report.transfer is None:
            return str(_("gone"))
        where = reverse("admin:transfers_transfer_change", args=[report.transfer_id])
        return format_html('<a href="{}">{}</a>', where, str(report.transfer))


class BlockForm(forms.ModelForm):  # type: ignore[type-arg]  # Django has no such subscript at run time
    """An account or an address, and why."""

    address = forms.CharField(
        required=False, max_length=64, help_text=_("A client address; only its digest is kept.")
    )

    class Meta:
        model = Block
        fields = ("account", "address", "reason", "until")

    def clean(self) -> dict[str, Any]:
        """One of the two, and a moment that is to come."""
        given = super().clean() or {}
        if bool(given.get("account")) == bool(given.get("address")):
            raise forms.ValidationError(_("Name an account or an address, not both."))
        if given.get("until") and given["until"] <= timezone.now():
            raise forms.ValidationError(_("That moment has passed."))
        return given


@admin.register(Block)
class BlockAdmin(SearchedWhole, ConsoleAdmin):
    """Who may not send. A block is lifted, never changed or deleted: the log stays true."""

    form = BlockForm
    list_display = ("shown", "standing", "reason", "by", "created_at", "until", "lifted_by")
    sortable_by = ("created_at",)
    list_filter = ("created_at",)
    search_fields = ("shown__istartswith", "=account__username", "=by")
    autocomplete_fields = ("account",)
    actions = ("lift",)
    export_columns = (
        *(("who", "shown"), ("reason", "reason"), ("by", "by"), ("created", "created_at")),
        *(("until", "until"), ("lifted", "lifted_at"), ("lifted by", "lifted_by")),
    )

    def has_change_permission(self, request: HttpRequest, obj: Block | None = None) -> bool:
        """There is nothing to change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Block | None = None) -> bool:
        """It is lifted instead."""
        return False

    def has_lift_permission(self, request: HttpRequest) -> bool:
        """Who may lift one."""
        return request.user.has_perm("throttling.change_block")

    def save_model(self, request: HttpRequest, obj: Block, form: Any, change: bool) -> None:
        """By the service; the form only reads."""
        given = form.cleaned_data
        made = block_create(
            account_id=given["account"].pk if given["account"] else None,
            address=given["address"],
            shown=given["account"].get_username() if given["account"] else given["address"],
            reason=given["reason"],
            by=request.user.get_username(),
            until=given["until"],
        )
        obj.pk, obj.shown = made.pk, made.shown

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """By the name that the other way to block somebody has too."""
        return audit_write(request, "sender_blocked", target=obj, after={"reason": obj.reason})

    @admin.action(description=_("Let them send again"), permissions=["lift"])
    def lift(self, request: HttpRequest, queryset: QuerySet[Block]) -> None:
        """End the chosen blocks."""
        count = 0
        for block in queryset:
            if block_lift(block_id=block.pk, by=request.user.get_username()):
                audit_write(request, "sender_unblocked", target=block)
                count += 1
        words = ngettext("%(n)d may send again.", "%(n)d may send again.", count)
        messages.success(request, words % {"n": count})

    @display(description=_("blocked"), boolean=True)
    def standing(self, block: Block) -> bool:
        """Whether it holds now."""
        return block.lifted_at is None and (block.until is None or block.until > timezone.now())
