"""Owns the tables of uploads and parts, and the conditional updates that make a lease exclusive.

A lease is held by whoever's token stands in the row and has not expired. Every write of a holder names its token
and asks for an unexpired lease, so a holder that slept through its lease changes nothing.
"""

import uuid
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import connections, models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from apps.transfers.models import File


def _after(seconds: float) -> models.expressions.CombinedExpression:
    """The database's clock plus some seconds: instances whose clocks differ still agree on a lease."""
    return Now() + timedelta(seconds=seconds)


# Both statements are written out because a PATCH pays for every round trip with the bytes that wait meanwhile:
# the ORM has neither RETURNING for an UPDATE nor two writes in one statement.
_CLAIM = """
UPDATE uploads_upload AS upload
SET lease_token = %(token)s, lease_instance = %(instance)s, lease_wanted = false,
    lease_until = statement_timestamp() + make_interval(secs => %(seconds)s)
FROM transfers_file AS file JOIN transfers_transfer AS transfer ON transfer.id = file.transfer_id
WHERE upload.id = %(id)s AND file.id = upload.file_id
  AND (upload.lease_token IS NULL OR upload.lease_until <= statement_timestamp())
  AND transfer.expires_at >= %(now)s AND (upload.expires_at >= %(now)s OR upload."offset" >= upload.length)
RETURNING upload.*
"""
# make_interval is strict: without seconds it gives NULL, and so there is no lease afterwards.
_ADVANCE = """
WITH moved AS (
    UPDATE uploads_upload
    SET "offset" = "offset" + %(size)s, expires_at = %(expires_at)s,
        lease_until = statement_timestamp() + make_interval(secs => %(seconds)s::float8),
        lease_token = CASE WHEN %(seconds)s::float8 IS NULL THEN NULL ELSE lease_token END,
        lease_wanted = lease_wanted AND %(seconds)s::float8 IS NOT NULL
    WHERE id = %(id)s AND lease_token = %(token)s AND lease_until > statement_timestamp()
      AND "offset" = %(offset)s AND length >= %(offset)s::bigint + %(size)s::bigint
    RETURNING id
)
INSERT INTO uploads_part (upload_id, "offset", size, key)
SELECT id, %(offset)s, %(size)s, %(key)s FROM moved
"""


class UploadQuerySet(models.QuerySet["Upload"]):
    """Reads and conditional updates of uploads."""

    def free(self) -> Self:
        """Uploads that nobody may append to right now."""
        return self.filter(Q(lease_token__isnull=True) | Q(lease_until__lte=Now()))

    def held(self, upload_id: uuid.UUID, token: uuid.UUID) -> Self:
        """The upload, if this token's lease still stands."""
        return self.filter(pk=upload_id, lease_token=token, lease_until__gt=Now())

    def claim(
        self, upload_id: uuid.UUID, token: uuid.UUID, *, instance: str, seconds: float
    ) -> "Upload | None":
        """Take the lease if it is free and the upload has not expired, and read the row: one conditional UPDATE."""
        taken = self.raw(
            _CLAIM,
            {
                "id": upload_id,
                "token": token,
                "instance": instance,
                "seconds": seconds,
                "now": timezone.now(),
            },
        )
        return next(iter(taken), None)

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
        self, part: "Part", token: uuid.UUID, *, expires_at: datetime, lease_seconds: float | None
    ) -> bool:
        """Record a durable part and move the offset over it, if the lease stands and nobody moved the offset before.
        `lease_seconds` renews the lease, None gives it back.
        """
        with connections[self.db].cursor() as cursor:
            cursor.execute(
                _ADVANCE,
                {
                    "id": part.upload_id,
                    "token": token,
                    "offset": part.offset,
                    "size": part.size,
                    "key": part.key,
                    "expires_at": expires_at,
                    "seconds": lease_seconds,
                },
            )
            return bool(cursor.rowcount)

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
