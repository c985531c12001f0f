"""Owns the table of files, its constraints and the conditional updates of racing writers."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

from django.apps import apps
from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connections, models
from django.db.models import Case, Count, F, Min, Q, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.common.work import WorkQuerySet
from apps.transfers.models.transfer import Transfer
from apps.transfers.rules import FOLDER_MAX_CHARACTERS, FileState

TROUBLE_MAX_CHARACTERS = 200
# Written out so that a popular transfer's row is locked for as short as can be: on a busy machine each round trip that
# a lock is held for makes everybody else wait. One statement locks and counts, transfer before file.
_COUNT_DOWNLOAD = """
WITH counted AS (
    UPDATE transfers_transfer SET download_count = download_count + 1
    WHERE id = %(transfer)s AND (download_limit IS NULL OR download_count < download_limit)
    RETURNING id
), of_file AS (
    UPDATE transfers_file SET download_count = download_count + 1 FROM counted
    WHERE transfers_file.id = ANY(%(files)s) AND transfers_file.transfer_id = counted.id
    RETURNING transfers_file.transfer_id, transfers_file.size
), of_day AS (
    INSERT INTO transfers_downloadday (transfer_id, day, downloads, bytes)
    SELECT transfer_id, (now() AT TIME ZONE 'UTC')::date, 1, sum(size) FROM of_file GROUP BY transfer_id
    ON CONFLICT (transfer_id, day) DO UPDATE
    SET downloads = transfers_downloadday.downloads + 1, bytes = transfers_downloadday.bytes + EXCLUDED.bytes
)
SELECT 1 FROM counted
"""


class FileQuerySet(WorkQuerySet["File"]):
    """Reads and conditional updates of files."""

    unfinished = (FileState.PROCESSING,)

    def of_link(self, token: str, file_id: uuid.UUID) -> Self:
        """One file behind a link, with its transfer, in one query."""
        return self.filter(pk=file_id, transfer__token=token).select_related("transfer")

    def with_upload(self) -> Self:
        """Each file with the upload it arrives through, in the same query."""
        return self.select_related("transfer", "upload")

    def lock_uploads(self) -> list[str]:
        """The ids of these files' uploads, locked: no part can be committed until this transaction ends.

        Those of the partial uploads that they are made of come with them. Behind their uploads the files are locked
        too: what a worker hangs on one (previews) is seen by whoever removes it, or is refused.
        """
        arriving = self.filter(upload__isnull=False).select_related("upload")
        locked: Any = arriving.select_for_update(of=("upload",)).order_by("pk")
        ids = [str(file.upload.pk) for file in locked]
        # What they are made of, where they were sent in several runs: those take no bytes any more.
        partials = self.filter(upload__partials__isnull=False).values_list("upload__partials", flat=True)
        ids += map(str, partials)
        list(self.select_for_update(of=("self",)).order_by("pk").values_list("pk"))
        return ids

    def sums(self, transfers: Iterable[uuid.UUID]) -> list[dict[str, Any]]:
        """What the files of these transfers add up to, in one query: `transfer_id`, `count`, `total` and
        `durable` (bytes; announced, and on the site already), `states`, `a_name` (of one). Refused ones have no bytes.
        """
        kept = ~Q(state=FileState.REJECTED)
        arrived = Case(
            When(state=FileState.UPLOADING, then=Coalesce(F("upload__offset"), Value(0))), default=F("size")
        )
        rows: Any = (
            self.filter(transfer__in=transfers)
            .order_by()
            .values("transfer_id")
            .annotate(
                count=Count("pk"),
                total=Coalesce(Sum("size", filter=kept), Value(0)),
                durable=Coalesce(Sum(arrived, filter=kept), Value(0)),
                states=ArrayAgg("state", distinct=True),
                a_name=Min("name"),
            )
        )
        return list(rows)

    def blob_keys(self) -> list[str]:
        """Where the published bytes of these files lie, and what workers made to look at of them."""
        # The processing app stands above this one: its rows are reached from the file, never imported.
        previews = self.filter(previews__isnull=False).values_list("previews__blob_key", flat=True)
        return [*self.exclude(blob_key="").values_list("blob_key", flat=True), *previews]

    def drop_archives(self) -> list[str]:
        """Forget the archives that hold any of these files, those in the making too; where their bytes lie."""
        archives: Any = apps.get_model("processing", "Archive")
        found = dict(archives.objects.holding(self).values_list("pk", "blob_key"))
        archives.objects.filter(pk__in=found).delete()
        return [key for key in found.values() if key]

    def count_download(self, *, transfer_id: uuid.UUID, file_ids: Sequence[uuid.UUID]) -> bool:
        """Use up one download of the transfer and count it for each of the files; False if none was left. In one
        conditional statement: two racing requests cannot share the last one.
        """
        with connections[self.db].cursor() as cursor:
            cursor.execute(_COUNT_DOWNLOAD, {"transfer": transfer_id, "files": list(file_ids)})
            return cursor.fetchone() is not None

    def publish(
        self, file_id: uuid.UUID, token: uuid.UUID, *, blob_key: str, sha256: str, content_type: str
    ) -> bool:
        """Make a file ready, if this token still owns it: a file is published once, by one worker."""
        made = {"blob_key": blob_key, "sha256": sha256, "content_type": content_type}
        return self.finish(file_id, token, FileState.READY, ready_at=timezone.now(), **made)

    def reject(self, file_id: uuid.UUID, token: uuid.UUID, reason: str) -> bool:
        """Refuse a file for good, if this token still owns it."""
        return self.finish(file_id, token, FileState.REJECTED, reason=reason)


class File(models.Model):
    """One file of a transfer. `blob_key` names its published bytes; the name is never part of a path."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    transfer = models.ForeignKey(Transfer, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=255)
    folder = models.CharField(
        max_length=FOLDER_MAX_CHARACTERS,
        blank=True,
        db_default="",
        help_text="Where it lay in the sender's folder: a/b.",
    )
    size = models.BigIntegerField(help_text="Bytes, as announced and then enforced.")
    state = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in FileState], default=FileState.UPLOADING
    )
    reason = models.CharField(max_length=200, blank=True, help_text="Why the file was rejected.")
    trouble = models.CharField(
        max_length=TROUBLE_MAX_CHARACTERS,
        blank=True,
        db_default="",
        editable=False,
        help_text="What was wrong when it was last tried in vain: for whoever runs the site.",
    )
    claimed_type = models.CharField(max_length=200, blank=True, help_text="What the sender said it is.")
    content_type = models.CharField(max_length=200, blank=True, help_text="What its bytes say it is.")
    expected_sha256 = models.CharField(
        max_length=64, blank=True, help_text="The sender's checksum, if given."
    )
    sha256 = models.CharField(max_length=64, blank=True)
    blob_key = models.CharField(max_length=64, blank=True)
    download_count = models.PositiveIntegerField(default=0)
    claim_token = models.UUIDField(null=True, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    # Null in what the release before handed over.
    arrived_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When it was handed to the workers."
    )
    ready_at = models.DateTimeField(null=True, blank=True)

    objects = FileQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        indexes: ClassVar = [
            models.Index(
                fields=["claimed_until"], name="file_waiting", condition=Q(state=FileState.PROCESSING)
            )
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(size__gte=0), name="file_size_not_negative"),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in FileState]), name="file_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(state=FileState.READY) | (~Q(blob_key="") & ~Q(sha256="")),
                name="file_ready_has_blob",
            ),
            # Also the index by which the bytes in the store find their file.
            models.UniqueConstraint(
                fields=["blob_key"], name="file_blob_key_unique", condition=~Q(blob_key="")
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> str:
        """Folder and name, as in an archive of the transfer."""
        return f"{self.folder}/{self.name}" if self.folder else self.name

    @property
    def download_path(self) -> str:
        """Where a recipient gets the bytes, as a path."""
        return f"/d/{self.transfer.token}/{self.pk}"
