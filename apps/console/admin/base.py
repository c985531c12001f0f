"""Owns what all of the admin's pages have in common: an audit log, lists that stay fast, exports. Knows no table."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from apps.console.admin.exporting import csv_response
from apps.console.auditing import audit_write


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # Django has no such subscript at run time
    """Counts up to a number and no further: nobody turns two hundred pages, and counting a million rows takes long.

    The order stays in the count, so that it reads the same index as the page, and ends as soon.
    """

    most = 10_000

    @cached_property
    def count(self) -> int:
        """Rows, or `most`."""
        rows: Any = self.object_list
        return int(rows.values("pk")[: self.most].count())

    @property
    def is_capped(self) -> bool:
        """Whether there are more than are counted."""
        return self.count >= self.most


class PagedList(ChangeList):
    """A list whose further facts are asked for the rows of its page only (`ConsoleAdmin.add_facts`)."""

    def get_results(self, request: HttpRequest) -> None:
        """The page's rows, with what else they show."""
        super().get_results(request)
        rows: list[Any] = list(self.result_list)  # type: ignore[has-type]  # set by the base class
        self.result_list = rows
        self.model_admin.add_facts(rows)


class Audited:
    """Every addition, change and removal is in the audit log, in its own transaction."""

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """Keep what the form changed for `log_change`."""
        changed = getattr(form, "changed_data", [])
        before = {name: form.initial.get(name) for name in changed}
        after = {name: form.cleaned_data.get(name) for name in changed}
        request._console_change = (before, after)  # type: ignore[attr-defined]  # of the admin that it is mixed into
        return super().construct_change_message(request, form, formsets, add)  # type: ignore[misc]  # of the admin that it is mixed into

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Django's own log, and ours."""
        self._audit(request, obj, "added")
        return super().log_addition(request, obj, message)  # type: ignore[misc]  # likewise

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Django's own log, and ours; a form that changed nothing is not an action."""
        before, after = getattr(request, "_console_change", ({}, {}))
        if after:
            self._audit(request, obj, "changed", before=before, after=after)
        return super().log_change(request, obj, message)  # type: ignore[misc]  # likewise

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> Any:
        """Before they go: afterwards they have no key."""
        for obj in queryset:
            self._audit(request, obj, "deleted")
        return super().log_deletions(request, queryset)  # type: ignore[misc]  # likewise

    def _audit(self, request: HttpRequest, obj: Model, verb: str, **change: Any) -> None:
        audit_write(request, f"{obj._meta.model_name}_{verb}", target=obj, **change)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """What is done to chosen rows stands together with its audit entries, or not at all."""
        if request.POST.get("select_across") == "1":
            messages.error(request, _("Choose the rows of one page at a time."))
            return HttpResponseRedirect(request.get_full_path())
        with transaction.atomic():
            response: HttpResponse | None = super().response_action(request, queryset)  # type: ignore[misc]  # likewise
        return response


class Exported:
    """A list that can be had as CSV: what is searched and filtered for, the newest first, up to a limit."""

    # (heading, the field's or the admin's method's name), and the field that says what is newest.
    export_columns: Sequence[tuple[str, str]] = ()
    export_order = "created_at"
    list_before_template = "console/list_before.html"

    def get_urls(self) -> list[URLPattern]:
        """The export's, before those that take a key."""
        site, meta = self.admin_site, self.model._meta  # type: ignore[attr-defined]  # of the admin that it is mixed into
        name = f"{meta.app_label}_{meta.model_name}_export"
        view = site.admin_view(partial(export_view, self))
        return [path("export/", view, name=name), *super().get_urls()]  # type: ignore[misc]

    def export_rows(self, request: HttpRequest) -> QuerySet[Any]:
        """All rows that the list would show on its pages."""
        rows: QuerySet[Any] = self.get_changelist_instance(request).queryset  # type: ignore[attr-defined]  # of the admin that it is mixed into
        return rows


def export_view(admin: Any, request: HttpRequest) -> HttpResponse:
    """POST, since it is an action that the audit log tells of."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not admin.has_view_permission(request):
        raise PermissionDenied
    name = admin.model._meta.model_name
    audit_write(request, "exported", label=name, after={"query": request.GET.urlencode()})
    response: HttpResponse = csv_response(admin, admin.export_rows(request), name=name)  # type: ignore[assignment]  # a streamed one will do
    return response


class ConsoleAdmin(Audited, Exported, ModelAdmin):
    """A list that is fast however long its table is."""

    show_full_result_count = False
    paginator = CappedPaginator
    list_per_page = 50
    list_max_show_all = 50
    list_disable_select_all = True
    warn_unsaved_form = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """One whose facts are those of a page."""
        return PagedList

    def add_facts(self, rows: list[Any]) -> None:
        """Give the rows of one page what else they show; nothing unless a list says so."""


class LookOnly:
    """For rows that instances and workers race on: a form that writes back what it read undoes their work."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """They are made by sending."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Looking needs the right to view only."""
        return False


class NeverByHand(LookOnly):
    """For what nobody removes by hand either."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """It goes by itself, or with what it belongs to."""
        return False


class SearchedWhole:
    """For lists that are searched by how something begins: Django would look for each word by itself, and a name of two
    words begins with only one of them.
    """

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """As one phrase, which is what quotes make of it."""
        words = search_term.strip().replace("\\", "\\\\").replace('"', '\\"')
        return super().get_search_results(request, queryset, f'"{words}"' if words else "")  # type: ignore[misc,no-any-return]


def ask(
    admin: Any, request: HttpRequest, *, title: Any, words: Any, fields: Sequence[dict[str, Any]], button: Any
) -> HttpResponse:
    """A page that asks before something is done; its form is posted to where it is.

    `fields`: {name, label, required, type, value}.
    """
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.model._meta,
        "title": title,
        "words": words,
        "fields": fields,
        "button": button,
    }
    return render(request, "console/ask.html", context)
