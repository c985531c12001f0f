"""Owns the tables of uploads and parts, and the conditional updates that make a lease exclusive.

A lease is held by whoever's token stands in the row and has not expired. Every write of a holder names its token
and asks for an unexpired lease, so a holder that slept through its lease changes nothing.
"""

import uuid
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import connections, models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.http import http_date

from apps.common.together import Question
from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState


def _signed_crc32(text: str) -> int:
    """A number for an advisory lock: 32 bits with a sign, the same on every instance."""
    return zlib.crc32(text.encode()) - 2**31


# The statements about leases are written out because a PATCH pays for every round trip with the bytes that wait
# meanwhile: the ORM has neither RETURNING for an UPDATE nor two writes in one statement.
_CLAIM = """
UPDATE uploads_upload AS upload
SET lease_token = %(token)s, lease_instance = %(instance)s, lease_wanted = false,
    lease_until = statement_timestamp() + make_interval(secs => %(seconds)s)
FROM uploads_upload AS same LEFT JOIN transfers_file AS file ON file.id = same.file_id
    JOIN transfers_transfer AS transfer ON transfer.id = coalesce(same.transfer_id, file.transfer_id)
WHERE upload.id = %(id)s AND same.id = upload.id
  AND (upload.lease_token IS NULL OR upload.lease_until <= statement_timestamp())
  AND (upload.concat = '' OR upload.file_id IS NULL)
  AND transfer.taken_down_at IS NULL
  AND transfer.expires_at >= %(now)s AND (upload.expires_at >= %(now)s OR upload."offset" >= upload.length)
RETURNING upload.*
"""
# What staff took down takes no byte more, from a request that was under way neither: asked where the offset moves.
_STANDS = """
NOT EXISTS (
    SELECT 1 FROM transfers_transfer AS transfer
    WHERE transfer.taken_down_at IS NOT NULL AND transfer.id = coalesce(
        upload.transfer_id, (SELECT file.transfer_id FROM transfers_file AS file WHERE file.id = upload.file_id))
)
"""
# Who waits for a lease listens here. NOTIFY makes all commits of the database take turns, so it is sent only when the
# lease goes back and somebody has asked for it: `lease_wanted` stays as it was until the next claim, so that the row's
# newest version tells, not the one that the statement began with.
_TELL = """CASE WHEN awaited THEN pg_notify('upload_' || translate(id::text, '-', ''), '') END"""
# make_interval is strict: without seconds it gives NULL, and so there is no lease afterwards.
_ADVANCE = f"""
WITH moved AS (
    UPDATE uploads_upload AS upload
    SET "offset" = "offset" + %(size)s, expires_at = %(expires_at)s,
        lease_until = statement_timestamp() + make_interval(secs => %(seconds)s::float8),
        lease_token = CASE WHEN %(seconds)s::float8 IS NULL THEN NULL ELSE lease_token END
    WHERE id = %(id)s AND lease_token = %(token)s AND lease_until > statement_timestamp()
      AND "offset" = %(offset)s AND coalesce(length, reserved) >= %(offset)s::bigint + %(size)s::bigint
      AND {_STANDS}
    RETURNING id, lease_wanted AND lease_token IS NULL AS awaited
), part AS (
    INSERT INTO uploads_part (upload_id, "offset", size, key)
    SELECT id, %(offset)s, %(size)s, %(key)s FROM moved
)
SELECT {_TELL} FROM moved
"""  # noqa: S608
_RELEASE = f"""
WITH freed AS (
    UPDATE uploads_upload SET lease_token = NULL, lease_until = NULL
    WHERE id = %(id)s AND lease_token = %(token)s
    RETURNING id, lease_wanted AS awaited
)
SELECT {_TELL} FROM freed
"""  # noqa: S608
_LOOK = """
UPDATE uploads_upload SET lease_until = statement_timestamp() + make_interval(secs => %(seconds)s)
WHERE id = %(id)s AND lease_token = %(token)s AND lease_until > statement_timestamp()
RETURNING lease_wanted
"""
_ASK = """
WITH asked AS (
    UPDATE uploads_upload SET lease_wanted = true
    WHERE id = %(id)s AND lease_token IS NOT NULL AND NOT lease_wanted
)
SELECT 1 FROM uploads_upload
WHERE id = %(id)s AND lease_token IS NOT NULL AND lease_until > statement_timestamp()
"""

# Parts and the blob made of them lie side by side for a moment, so each unpublished byte needs its place twice, but for
# what has arrived. A partial upload that went into a final one needs no more: the final one asks for the blob.
_STORE_NEED = """
SELECT coalesce(sum(2 * greatest(reserved, "offset") - "offset"), 0)::bigint
FROM uploads_upload WHERE staged AND final_id IS NULL
"""
_TRANSFER_ROOM = """
SELECT coalesce(sum(reserved), 0)::bigint FROM uploads_upload WHERE transfer_id = %(transfer)s AND final_id IS NULL
"""
_OWNER_ROOM = """
SELECT coalesce(sum(reserved), 0)::bigint, (SELECT quota_bytes FROM accounts_user WHERE id = %(owner)s)
FROM uploads_upload WHERE owner_id = %(owner)s
"""
_ADDRESS_ROOM = """
SELECT coalesce(sum(reserved), 0)::bigint, NULL
FROM uploads_upload WHERE address = %(address)s AND address <> ''
"""
# Locks of PostgreSQL's own, gone with the transaction. Two payers whose digests meet wait for each other, no more.
_LOCK = "SELECT pg_advisory_xact_lock(%(space)s, %(key)s)"
_ROOM_OF_PAYER, _ROOM_OF_STORE = 0x5350_0001, 0x5350_0002


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
        """Take the lease if it is free, the upload has not expired and its transfer is not taken down, and read the
        row: one conditional UPDATE.
        """
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

    def ask_for(self, upload_id: uuid.UUID) -> bool:
        """Tell the holder that another request waits; False when there is no holder whose lease stands."""
        return self._first(_ASK, {"id": upload_id}) is not None

    def look(self, upload_id: uuid.UUID, token: uuid.UUID, *, seconds: float) -> bool | None:
        """Hold the lease for longer and see whether somebody waits for it; None when it was lost."""
        row = self._first(_LOOK, {"id": upload_id, "token": token, "seconds": seconds})
        return None if row is None else bool(row[0])

    def release(self, upload_id: uuid.UUID, token: uuid.UUID) -> bool:
        """Give the lease back, and tell those who wait for it."""
        return self._first(_RELEASE, {"id": upload_id, "token": token}) is not None

    def _first(self, sql: str, params: dict[str, Any]) -> Any:
        with connections[self.db].cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.fetchone()

    def advance(
        self, part: "Part", token: uuid.UUID, *, expires_at: datetime, lease_seconds: float | None
    ) -> bool:
        """Record a durable part and move the offset over it, if the lease stands, nobody moved the offset before and
        staff has not taken the transfer down. `lease_seconds` renews the lease, None gives it back.
        """
        moved = self._first(
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
        return moved is not None

    def payer_lock(self, owner_id: int | None, address: str) -> Question:
        """The lock behind which room of an account, or of an address, is granted."""
        return Question(_LOCK, {"space": _ROOM_OF_PAYER, "key": _signed_crc32(f"{owner_id}:{address}")})

    def store_lock(self) -> Question:
        """The lock behind which room of the store is granted. Everybody wants it: it comes last."""
        return Question(_LOCK, {"space": _ROOM_OF_STORE, "key": 0})

    def transfer_room(self, transfer_id: uuid.UUID, check: Callable[[int], None]) -> Question:
        """Bytes that a transfer's uploads have reserved."""
        return Question(_TRANSFER_ROOM, {"transfer": transfer_id}, lambda row: check(row[0]))

    def payer_room(
        self, owner_id: int | None, address: str, check: Callable[[int, int | None], None]
    ) -> Question:
        """Bytes that uploads of an account, or of an address, have reserved; and the account's own quota, if any."""
        sql, params = (
            (_ADDRESS_ROOM, {"address": address}) if owner_id is None else (_OWNER_ROOM, {"owner": owner_id})
        )
        return Question(sql, params, lambda row: check(*row))

    def room_of(self, owner_id: int) -> int:
        """The same sum for an account, locking nothing: for a look at it."""
        return int(self._first(_OWNER_ROOM, {"owner": owner_id})[0])

    def store_need(self, check: Callable[[int], None]) -> Question:
        """Bytes that the store must still find room for until all uploads are published."""
        return Question(_STORE_NEED, {}, lambda row: check(row[0]))

    def needed(self) -> Self:
        """Uploads whose staged bytes somebody needs: those of files that are not published yet, and of partial
        uploads, which may still become part of one.
        """
        unfinished = (FileState.UPLOADING, FileState.PROCESSING)
        return self.filter(
            Q(file__state__in=unfinished) | Q(file=None, final=None) | Q(final__file__state__in=unfinished)
        )

    def of_file(self, file_id: uuid.UUID) -> Self:
        """The upload that a file arrives through, with the partial ones that it was made of."""
        return self.filter(Q(file_id=file_id) | Q(final__file_id=file_id))

    def give_back(self) -> int:
        """Nothing is kept for these any more: their file was refused."""
        return self.update(reserved=0, staged=False)

    def expired(self, now: datetime) -> Self:
        """Uploads that waited too long: for their next byte, for their length, or partial ones for their final one."""
        waiting = Q(length=None) | Q(offset__lt=F("length")) | Q(file=None, final=None)
        # What staff took down stays as it is: it can be restored.
        return self.filter(waiting, expires_at__lt=now).exclude(transfer__taken_down_at__isnull=False)


class Upload(models.Model):
    """The tus resource through which one file arrives. Its id is a capability: 122 random bits.

    A partial upload has no file: its bytes become part of a final upload's file (tus, Concatenation). A final one
    has no parts of its own: they are those of its partials, in the order of `position`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file = models.OneToOneField(File, null=True, blank=True, on_delete=models.CASCADE, related_name="upload")
    # NULL only where the release before this column made the upload: then the file knows its transfer.
    transfer = models.ForeignKey(
        Transfer, null=True, blank=True, on_delete=models.CASCADE, related_name="uploads"
    )
    final = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="partials",
        db_index=False,  # the unique constraint's serves
        help_text="The final upload that this partial one went into.",
    )
    position = models.PositiveIntegerField(
        null=True, blank=True, help_text="Which of the final upload's partials this is, from 0."
    )
    length = models.BigIntegerField(
        null=True, blank=True, help_text="Bytes of the whole upload; empty until the client says so."
    )
    offset = models.BigIntegerField(default=0, help_text="Bytes that are durable: the sum of the parts.")
    reserved = models.BigIntegerField(
        default=0,
        db_default=0,
        help_text="Bytes that room is kept for: the length, or what was asked for so far.",
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,  # upload_room_of_owner serves
        help_text="Whose quota the room is taken from.",
    )
    address = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="Digest of the client address, where nobody is signed in.",
    )
    staged = models.BooleanField(
        default=True,
        db_default=True,
        help_text="Bytes lie in staging, or will: not yet published or forgotten.",
    )
    metadata = models.TextField(
        blank=True, help_text="Upload-Metadata as the client sent it, without secrets."
    )
    concat = models.TextField(
        blank=True, default="", db_default="", help_text="Upload-Concat as the client sent it."
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
        indexes: ClassVar = [
            # Sums of room: whoever creates an upload asks for them behind a lock, so they read the index alone.
            models.Index(fields=["owner"], include=["reserved"], name="upload_room_of_owner"),
            models.Index(
                fields=["address"],
                include=["reserved"],
                name="upload_room_of_address",
                condition=~Q(address=""),
            ),
            models.Index(fields=["created_at"], name="upload_staged", condition=Q(staged=True)),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(length__gte=0), name="upload_length_not_negative"),
            models.CheckConstraint(
                condition=Q(offset__gte=0) & Q(offset__lte=F("length")), name="upload_offset_within_length"
            ),
            models.UniqueConstraint(fields=["final", "position"], name="upload_one_partial_per_position"),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.offset}/{'?' if self.length is None else self.length}"

    @property
    def is_partial(self) -> bool:
        """Whether this becomes part of a final upload's file."""
        return self.file_id is None

    @property
    def is_final(self) -> bool:
        """Whether its bytes are those of partial uploads."""
        return self.file_id is not None and self.concat != ""

    @property
    def is_whole(self) -> bool:
        """Whether every byte has arrived and nothing more can."""
        return self.length is not None and self.offset == self.length

    @property
    def room(self) -> int:
        """Bytes that it still takes: to its length, or to what room was kept for while that is unknown."""
        return max(0, (self.reserved if self.length is None else self.length) - self.offset)

    @property
    def waits(self) -> bool:
        """Whether this is given up when nothing more is heard of it: its file is not whole yet."""
        return not self.is_whole or (self.is_partial and self.final_id is None)

    @property
    def expires_header(self) -> str:
        """`Upload-Expires`: when this is given up unless more is heard of it."""
        return http_date(self.expires_at.timestamp())

    @property
    def of_transfer(self) -> Transfer:
        """The transfer it belongs to, also where the release before made it."""
        if self.transfer is not None:
            return self.transfer
        assert self.file is not None
        return self.file.transfer


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
