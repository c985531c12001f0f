"""Owns the console's own tables: what staff did, what people reported, which jobs failed, what the store held."""

from datetime import datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.console.vocabulary import JobState, ReportReason, ReportState
from apps.transfers.models import Transfer

REPORT_TEXT_MAX_CHARACTERS = 2000
ERROR_MAX_CHARACTERS = 500


class AuditEntry(models.Model):
    """One action of a member of staff. Written in the transaction of what it tells of; never changed, never deleted."""

    at = models.DateTimeField(default=timezone.now)
    who = models.CharField(max_length=150, help_text="The name of the account, kept when that goes.")
    code = models.CharField(max_length=64, help_text="What was done: transfer_taken_down.")
    object_type = models.CharField(max_length=64, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    label = models.CharField(max_length=200, blank=True, help_text="What it was called then.")
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    address = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    instance = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        verbose_name_plural = "audit entries"
        indexes: ClassVar = [
            models.Index(fields=["-at", "-id"], name="audit_newest"),
            models.Index(fields=["who", "-at"], name="audit_of_person"),
            models.Index(fields=["code", "-at"], name="audit_of_code"),
            models.Index(fields=["object_id", "-at"], name="audit_of_object"),
        ]

    def __str__(self) -> str:
        return f"{self.who}: {self.code} {self.label}".strip()


class ReportQuerySet(models.QuerySet["Report"]):
    """Reads and conditional updates of reports."""

    def open(self) -> Self:
        """Those nobody has looked at."""
        return self.filter(state=ReportState.OPEN)

    def settle(self, state: ReportState, *, by: str) -> int:
        """End those of these that are open; how many were."""
        return self.open().update(state=state, settled_by=by, settled_at=timezone.now())


class Report(models.Model):
    """What a visitor says is wrong with a transfer. It outlives the transfer, so it keeps the link's token."""

    transfer = models.ForeignKey(
        Transfer, null=True, blank=True, on_delete=models.SET_NULL, related_name="reports"
    )
    token = models.CharField(max_length=64, editable=False)
    reason = models.CharField(max_length=32, choices=ReportReason.choices)
    text = models.TextField(max_length=REPORT_TEXT_MAX_CHARACTERS, blank=True)
    email = models.EmailField(blank=True, help_text=_("Where the reporter can be asked, if they said."))
    state = models.CharField(max_length=16, choices=ReportState.choices, default=ReportState.OPEN)
    created_at = models.DateTimeField(default=timezone.now)
    settled_by = models.CharField(max_length=150, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    objects = ReportQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["-created_at", "-id"], name="report_newest"),
            models.Index(fields=["-created_at"], name="report_open", condition=Q(state=ReportState.OPEN)),
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()}: {self.transfer or self.token[:6]}"


class FailedJobQuerySet(models.QuerySet["FailedJob"]):
    """Reads and conditional updates of failed jobs."""

    def open(self) -> Self:
        """Those that nobody has dealt with."""
        return self.filter(state=JobState.FAILED)

    def settle(self, job_id: int, state: JobState, *, by: str) -> bool:
        """Deal with one, unless somebody else did a moment ago. One conditional UPDATE."""
        return bool(
            self.open().filter(pk=job_id).update(state=state, settled_by=by, settled_at=timezone.now())
        )


class FailedJob(models.Model):
    """Work that a worker gave up for good: which task with which arguments, and why."""

    task = models.CharField(max_length=100)
    arguments = models.JSONField(default=list)
    error = models.CharField(max_length=100, help_text="The class of what was raised.")
    text = models.CharField(max_length=ERROR_MAX_CHARACTERS, blank=True)
    instance = models.CharField(max_length=64, blank=True)
    attempts = models.PositiveIntegerField(default=1, help_text="How often it failed.")
    first_at = models.DateTimeField(default=timezone.now)
    at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=16, choices=JobState.choices, default=JobState.FAILED)
    settled_by = models.CharField(max_length=150, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    objects = FailedJobQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["-at", "-id"], name="failed_job_newest"),
            models.Index(fields=["task", "-at"], name="failed_job_of_task"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["task", "arguments"],
                name="failed_job_one_open",
                condition=Q(state=JobState.FAILED),
            )
        ]

    def __str__(self) -> str:
        return f"{self.task}: {self.error}"


class StockQuerySet(models.QuerySet["Stock"]):
    """Reads of what the store held."""

    def since(self, moment: datetime) -> Self:
        """What was taken from then on, oldest first."""
        return self.filter(at__gte=moment).order_by("at")

    def newest(self) -> "Stock | None":
        """The last one."""
        return self.order_by("-at").first()


class Stock(models.Model):
    """What the store held at one moment, and whose it was. Taken by a worker: no page adds up a million rows."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    used_bytes = models.BigIntegerField(help_text="Bytes of all files that are kept.")
    free_bytes = models.BigIntegerField(null=True, help_text="Empty where the store cannot say.")
    by_state: Any = models.JSONField(default=dict, help_text="state: [files, bytes]")
    accounts: Any = models.JSONField(default=list, help_text="[id, name, bytes, quota], the largest first")
    transfers: Any = models.JSONField(default=list, help_text="[id, label, files, bytes], the largest first")

    objects = StockQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"


class Console(models.Model):
    """No table: what the console's own rights are about."""

    class Meta:
        managed = False
        default_permissions = ()
        permissions: ClassVar = [
            ("view_fleet", "Can see the fleet"),
            ("drain_instance", "Can drain an instance"),
            ("moderate", "Can take transfers down, restore them and settle reports"),
            ("let_in", "Can let throttled addresses in"),
        ]

    def __str__(self) -> str:
        return str(settings.INSTANCE)
