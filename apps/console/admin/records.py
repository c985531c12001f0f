"""Owns the admin's page of the audit log: to read, to search, to export. Nobody adds to it, changes or deletes it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.console.admin.base import ConsoleAdmin, NeverByHand
from apps.console.auditing import CODES
from apps.console.models import AuditEntry
from apps.console.searching import MOST


class CodeFilter(admin.SimpleListFilter):
    """What was done."""

    title = _("action")
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The actions of the console; the others can be searched for."""
        return [(code, code.replace("_", " ")) for code in CODES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """By the code's own index."""
        return queryset.filter(code=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(NeverByHand, ConsoleAdmin):
    """Every action of staff."""

    list_display = ("at", "who", "code", "object_type", "label", "change", "address", "instance")
    sortable_by = ("at",)
    list_filter = (CodeFilter, "at")
    search_fields = ("who",)  # what is really searched: get_search_results
    search_help_text = _("A person, an action, or the id of what was changed")
    export_order = "at"
    export_columns = (
        *(("at", "at"), ("who", "who"), ("action", "code"), ("type", "object_type"), ("id", "object_id")),
        *(("label", "label"), ("before", "before"), ("after", "after"), ("address", "address")),
        *(("request", "request_id"), ("instance", "instance")),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By indexes only, each read from its newest end."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = set[int]()
        for field in ("who", "code", "object_id"):
            newest = AuditEntry.objects.filter(**{field: term}).order_by("-at")
            found |= set(newest.values_list("pk", flat=True)[:MOST])
        return queryset.filter(pk__in=found), False

    @display(description=_("change"))
    def change(self, entry: AuditEntry) -> str:
        """What was changed, in few words."""
        parts = [f"{name}: {value}" for name, value in entry.after.items()]
        return ", ".join(parts)[:120]
