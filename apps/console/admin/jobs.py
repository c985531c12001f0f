"""Owns the admin's page about jobs that failed for good: why, again, or let be."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from apps.common.errors import SpillwayError
from apps.console.admin.base import ConsoleAdmin, NeverByHand, ask
from apps.console.auditing import audit_write
from apps.console.jobs import job_dismiss, job_retry
from apps.console.models import FailedJob
from apps.console.vocabulary import JobState


@admin.register(FailedJob)
class FailedJobAdmin(NeverByHand, ConsoleAdmin):
    """Failed jobs."""

    list_display = (
        *(
            "task",
            "coloured_state",
            "error",
            "text_begins",
            "attempts",
            "instance",
            "at",
            "settled_by",
            "again",
        ),
    )
    sortable_by = ("at",)
    list_filter = ("state", "at")
    search_fields = ("task",)  # what is really searched: get_search_results
    search_help_text = _("How a task's name begins, an argument, or an instance")
    actions = ("retry_chosen", "dismiss_chosen")
    actions_detail = ("retry", "dismiss")
    export_order = "at"
    export_columns = (
        *(("task", "task"), ("arguments", "arguments"), ("error", "error"), ("text", "text")),
        *(("attempts", "attempts"), ("instance", "instance"), ("first", "first_at"), ("last", "at")),
        *(("state", "state"), ("settled by", "settled_by")),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By what identifies a job."""
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(
            Q(task__startswith=term) | Q(arguments__contains=[term]) | Q(instance=term)
        ), False

    def has_retry_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may deal with them."""
        return request.user.has_perm("console.change_failedjob")

    @admin.action(description=_("Try again"), permissions=["retry"])
    def retry_chosen(self, request: HttpRequest, queryset: QuerySet[FailedJob]) -> None:
        """Each by itself: one that cannot be tried again holds up none of the others."""
        done = sum(self._retry(request, job) for job in queryset)
        words = ngettext("%(n)d job is tried again.", "%(n)d jobs are tried again.", done)
        messages.success(request, words % {"n": done})

    @admin.action(description=_("Dismiss"), permissions=["retry"])
    def dismiss_chosen(self, request: HttpRequest, queryset: QuerySet[FailedJob]) -> None:
        """Let them be."""
        done = sum(self._dismiss(request, job) for job in queryset)
        words = ngettext("%(n)d job is dismissed.", "%(n)d jobs are dismissed.", done)
        messages.success(request, words % {"n": done})

    @action(description=_("Try again…"), url_path="retry", permissions=["retry"])
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then try again."""
        job = get_object_or_404(FailedJob, pk=object_id)
        if request.method != "POST":
            words = _("“%(task)s” is given to a worker once more. If it fails again, it comes back here.")
            return ask(
                self, request, title=_("Try again"), words=words % {"task": job.task}, fields=[],
                button=_("Try it again"),
            )  # fmt: skip
        if self._retry(request, job):
            messages.success(request, _("It is tried again."))
        return HttpResponseRedirect(reverse("admin:console_failedjob_changelist"), status=303)

    @action(description=_("Dismiss…"), url_path="dismiss", permissions=["retry"])
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then let it be."""
        job = get_object_or_404(FailedJob, pk=object_id)
        if request.method != "POST":
            return ask(
                self, request, title=_("Dismiss"), words=_("Nothing is done about it, and it is not counted any more."),
                fields=[], button=_("Dismiss it"),
            )  # fmt: skip
        if self._dismiss(request, job):
            messages.success(request, _("It is dismissed."))
        return HttpResponseRedirect(reverse("admin:console_failedjob_changelist"), status=303)

    def _retry(self, request: HttpRequest, job: FailedJob) -> bool:
        try:
            with transaction.atomic():
                job_retry(job_id=job.pk, by=request.user.get_username())
                audit_write(request, "job_retried", target=job, after={"arguments": job.arguments})
        except SpillwayError as refusal:
            messages.error(request, f"{job}: {refusal.text} {refusal.what_to_do}")
            return False
        return True

    def _dismiss(self, request: HttpRequest, job: FailedJob) -> bool:
        with transaction.atomic():
            done = job_dismiss(job_id=job.pk, by=request.user.get_username())
            if done:
                audit_write(request, "job_dismissed", target=job)
        return done

    @display(description=_("state"), label={"failed": "danger", "retried": "success", "dismissed": "info"})
    def coloured_state(self, job: FailedJob) -> str:
        """failed, retried or dismissed."""
        return job.state

    @display(description=_("why"))
    def text_begins(self, job: FailedJob) -> str:
        """How the reason begins."""
        return job.text[:100]

    @display(description=_("Try again"))
    def again(self, job: FailedJob) -> SafeString | str:
        """The button."""
        if job.state != JobState.FAILED:
            return ""
        where = reverse("admin:console_failedjob_change", args=[job.pk])
        return format_html(
            '<a class="c-button" href="{}retry/">{}</a>', where.removesuffix("change/"), _("Retry…")
        )
