"""Owns the tables of what workers make beside the files themselves: archives of a transfer, and previews.

A row names its bytes before they are written, so that none are ever nobody's; the rows are the queue of record.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.common.work import WorkQuerySet
from apps.processing.rules import ArchiveState, PreviewKind, PreviewState
from apps.transfers.models import File, Transfer


class ArchiveQuerySet(WorkQuerySet["Archive"]):
    """Reads and conditional updates of archives."""

    unfinished = (ArchiveState.WAITING, ArchiveState.MAKING)

    def of_link(self, token: str, archive_id: uuid.UUID) -> Self:
        """One archive behind a link, with its transfer, in one query."""
        return self.filter(pk=archive_id, transfer__token=token).select_related("transfer")

    def holding(self, files: "models.QuerySet[File]") -> Self:
        """Those with any of these files in them."""
        ids = dict(files.values_list("pk", "transfer_id"))
        return self.filter(transfer__in=set(ids.values()), file_ids__overlap=list(ids))

    def unused(self, since: datetime) -> Self:
        """Those nobody asked for since."""
        return self.filter(used_at__lt=since)


class Archive(models.Model):
    """A zip of some files of a transfer, made when somebody asked for it. Whoever asks for the same gets the same."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    transfer = models.ForeignKey(Transfer, on_delete=models.CASCADE, related_name="archives")
    digest = models.CharField(max_length=64, help_text="Of the ids of the files in it.")
    # No rows between: a file that is removed takes its archives along, and a worker finds out what is gone.
    file_ids = ArrayField(models.UUIDField())
    state = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in ArchiveState], default=ArchiveState.WAITING
    )
    reason = models.CharField(max_length=200, blank=True, help_text="Why it could not be made.")
    bytes_done = models.BigIntegerField(default=0)
    bytes_total = models.BigIntegerField(help_text="Of the files in it.")
    blob_key = models.CharField(max_length=64, blank=True)
    size = models.BigIntegerField(default=0, help_text="Bytes of the zip itself.")
    claim_token = models.UUIDField(null=True, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = ArchiveQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["transfer", "digest"], name="archive_once_each"),
            models.UniqueConstraint(
                fields=["blob_key"], name="archive_blob_key_unique", condition=~Q(blob_key="")
            ),
            models.CheckConstraint(
                condition=~Q(state=ArchiveState.READY) | ~Q(blob_key=""), name="archive_ready_has_blob"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["claimed_until"],
                name="archive_waiting",
                condition=Q(state__in=[ArchiveState.WAITING, ArchiveState.MAKING]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.transfer_id}: {len(self.file_ids)} files, {self.state}"

    @property
    def page_path(self) -> str:
        """Where its progress is shown, as a path."""
        return f"/t/{self.transfer.token}/archives/{self.pk}"

    @property
    def download_path(self) -> str:
        """Where a recipient gets the bytes, as a path."""
        return f"/z/{self.transfer.token}/{self.pk}"


class PreviewJobQuerySet(WorkQuerySet["PreviewJob"]):
    """Reads and conditional updates of the making of previews."""

    unfinished = (PreviewState.WAITING,)


class PreviewJob(models.Model):
    """What is made to look at of one file, and how far that is. A file without one has nothing to look at."""

    file = models.OneToOneField(File, primary_key=True, on_delete=models.CASCADE, related_name="preview_job")
    state = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in PreviewState], default=PreviewState.WAITING
    )
    reason = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=16, blank=True, help_text="What there is to look at; empty: nothing.")
    thumbnail = models.UUIDField(null=True, blank=True, help_text="The preview that is shown in a list.")
    claim_token = models.UUIDField(null=True, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now)

    objects = PreviewJobQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["claimed_until"], name="preview_waiting", condition=Q(state=PreviewState.WAITING)
            )
        ]

    def __str__(self) -> str:
        return f"{self.file_id}: {self.state}"


class PreviewQuerySet(models.QuerySet["Preview"]):
    """Reads of previews."""

    def of_link(self, token: str, preview_id: uuid.UUID) -> Self:
        """One preview behind a link, with its file and transfer, in one query."""
        shown = self.filter(file__preview_job__state=PreviewState.READY, file__transfer__token=token)
        return shown.filter(pk=preview_id).select_related("file__transfer")


class Preview(models.Model):
    """One thing to look at of a file: a small picture, a page, its text."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file = models.ForeignKey(File, on_delete=models.CASCADE, related_name="previews")
    kind = models.CharField(max_length=16, choices=[(k.value, k.value) for k in PreviewKind])
    position = models.PositiveSmallIntegerField(default=0)
    blob_key = models.CharField(max_length=64, unique=True)
    content_type = models.CharField(max_length=100)
    width = models.PositiveIntegerField(default=0, help_text="Pixels; 0 for what has none.")
    height = models.PositiveIntegerField(default=0)
    size = models.PositiveIntegerField(help_text="Bytes.")

    objects = PreviewQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["file", "kind", "position"], name="preview_once_each")
        ]

    def __str__(self) -> str:
        return f"{self.file_id}: {self.kind} {self.position}"


def named_blobs(keys: Iterable[str]) -> set[str]:
    """Those of these keys that any row names: a file's, an archive's or a preview's."""
    keys = list(keys)
    tables: list[models.QuerySet[Any]] = [File.objects.all(), Archive.objects.all(), Preview.objects.all()]
    named: set[str] = set()
    for rows in tables:
        named.update(rows.filter(blob_key__in=keys).order_by().values_list("blob_key", flat=True))
    return named
