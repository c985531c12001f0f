"""Owns the table of bytes that are to go: their rows are gone, the store has them still."""

from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone


class DiscardQuerySet(models.QuerySet["Discard"]):
    """Reads of what is to go."""

    def waiting_since(self, moment: datetime) -> Self:
        """Those that nobody has removed since then, the oldest first."""
        return self.filter(created_at__lt=moment).order_by("created_at", "pk")

    def of(self, blob_keys: list[str], upload_ids: list[str]) -> Self:
        """What says that these are to go."""
        return self.filter(Q(blob_key__in=blob_keys) | Q(upload_id__in=upload_ids))


class Discard(models.Model):
    """A published blob, or the staged bytes of an upload, that no row names any more.

    Written in the transaction that deletes the rows, deleted when the store has let go: what a sender removes goes
    soon, whatever becomes of the message about it.
    """

    blob_key = models.CharField(max_length=64, blank=True, db_index=True)
    upload_id = models.UUIDField(null=True, blank=True, db_index=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = DiscardQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=(Q(blob_key="") & Q(upload_id__isnull=False))
                | (~Q(blob_key="") & Q(upload_id__isnull=True)),
                name="discard_is_one_thing",
            )
        ]

    def __str__(self) -> str:
        return self.blob_key or f"staged {self.upload_id}"
