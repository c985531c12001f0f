"""Owns the tables of uploads and parts, and the conditional updates that make a lease exclusive.

A lease is held by whoever's token stands in the row and has not expired. Every write of a holder names its token
and asks for an unexpired lease, so a holder that slept through its lease changes nothing.
"""

import uuid
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from apps.transfers.models import File


def _after(seconds: float) -> models.expressions.CombinedExpression:
    """The database's clock plus some seconds: instances whose clocks differ still agree on a lease."""
    return Now() + timedelta(seconds=seconds)


class UploadQuerySet(models.QuerySet["Upload"]):
    """Reads and conditional updates of uploads."""

    def free(self) -> Self:
        """Uploads that nobody may append to right now."""
        return self.filter(Q(lease_token__isnull=True) | Q(lease_until__lte=Now()))

    def held(self, upload_id: uuid.UUID, token: uuid.UUID) -> Self:
        """The upload, if this token's lease still stands."""
        return self.filter(pk=upload_id, lease_token=token, lease_until__gt=Now())

    def claim(self, upload_id: uuid.UUID, token: uuid.UUID, *, instance: str, seconds: float) -> bool:
        """Take the lease if it is free, in one conditional UPDATE."""
        return bool(
            self.free()
            .filter(pk=upload_id)
            .update(
                lease_token=token, lease_until=_after(seconds), lease_instance=instance, lease_wanted=False
            )
        )

    def settle(self, upload_id: uuid.UUID) -> bool:
        """Make the offset final until the next claim: an expired lease is taken away, so its holder cannot
        come back and commit behind the back of whoever was told the offset.
        """
        return bool(self.free().filter(pk=upload_id).update(lease_token=None, lease_until=None))

    def ask_for(self, upload_id: uuid.UUID) -> int:
        """Tell the holder that another request waits."""
        return self.filter(pk=upload_id, lease_token__isnull=False).update(lease_wanted=True)

    def renew(self, upload_id: uuid.UUID, token: uuid.UUID, *, seconds: float) -> bool:
        """Hold the lease for longer; False when it was lost."""
        return bool(self.held(upload_id, token).update(lease_until=_after(seconds)))

    def release(self, upload_id: uuid.UUID, token: uuid.UUID) -> bool:
        """Give the lease back."""
        return bool(
            self.filter(pk=upload_id, lease_token=token).update(
                lease_token=None, lease_until=None, lease_wanted=False
            )
        )

    def advance(
        self,
        upload_id: uuid.UUID,
        token: uuid.UUID,
        *,
        offset: int,
        size: int,
        expires_at: datetime,
        seconds: float,
    ) -> bool:
        """Move the offset over a durable part, if the lease stands and nobody moved it before."""
        return bool(
            self.held(upload_id, token)
            .filter(offset=offset, length__gte=offset + size)
            .update(offset=F("offset") + size, expires_at=expires_at, lease_until=_after(seconds))
        )

    def expired(self, now: datetime) -> Self:
        """Unfinished uploads that waited too long."""
        return self.filter(expires_at__lt=now, offset__lt=F("length"))


class Upload(models.Model):
    """The tus resource through which one file arrives. Its id is a capability: 122 random bits."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file = models.OneToOneField(File, on_delete=models.CASCADE, related_name="upload")
    length = models.BigIntegerField(help_text="Bytes of the whole file.")
    offset = models.BigIntegerField(default=0, help_text="Bytes that are durable: the sum of the parts.")
    metadata = models.TextField(
        blank=True, help_text="Upload-Metadata as the client sent it, without secrets."
    )
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_instance = models.CharField(max_length=64, blank=True)
    lease_wanted = models.BooleanField(default=False, help_text="Another request asked the holder to let go.")

    objects = UploadQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(length__gte=0), name="upload_length_not_negative"),
            models.CheckConstraint(
                condition=Q(offset__gte=0) & Q(offset__lte=F("length")), name="upload_offset_within_length"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.offset}/{self.length}"


class Part(models.Model):
    """A durable run of an upload's bytes. Immutable: a later commit is a new part with another key."""

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="parts")
    offset = models.BigIntegerField()
    size = models.BigIntegerField()
    key = models.CharField(
        max_length=100, help_text="`<offset>-<lease token>` within the upload's staging folder."
    )

    class Meta:
        ordering: ClassVar = ["offset"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["upload", "offset"], name="part_one_per_offset"),
            models.CheckConstraint(condition=Q(size__gt=0) & Q(offset__gte=0), name="part_has_bytes"),
        ]

    def __str__(self) -> str:
        return self.key
