"""Owns the tables of transfers and files, their constraints and the conditional updates of racing writers."""

import hashlib
import secrets
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import connections, models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.crypto import salted_hmac

from apps.common.together import Question
from apps.transfers.rules import FileState, TransferState, transfer_state

TITLE_MAX_CHARACTERS = 200
MESSAGE_MAX_CHARACTERS = 5000
TOKEN_BYTES = 16  # 128 bits: a link is a capability, it must not be guessable

# Written out so that a popular transfer's row is locked for as short as can be: on a busy machine each round trip that
# a lock is held for makes everybody else wait. One statement locks and counts, transfer before file.
_COUNT_DOWNLOAD = """
WITH counted AS (
    UPDATE transfers_transfer SET download_count = download_count + 1
    WHERE id = %(transfer)s AND (download_limit IS NULL OR download_count < download_limit)
    RETURNING id
), of_file AS (
    UPDATE transfers_file SET download_count = download_count + 1 FROM counted
    WHERE transfers_file.id = %(file)s AND transfers_file.transfer_id = counted.id
)
SELECT 1 FROM counted
"""
# NO KEY: rows that only refer to the transfer need not wait.
_LOCK = "SELECT expires_at FROM transfers_transfer WHERE id = %(transfer)s FOR NO KEY UPDATE"
_COUNT_FILES = "SELECT count(*) FROM transfers_file WHERE transfer_id = %(transfer)s"


def new_token() -> str:
    """22 URL-safe characters with 128 random bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def secret_digest(secret: str) -> str:
    """What is stored of a sender's secret: its SHA-256 in hex. The secret has 128 random bits, so no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def hidden_digest(secret: str) -> str:
    """What is stored while a transfer is to be opened by nobody: no secret has a digest like this."""
    return "-" + secret_digest(secret)[1:]


class TransferQuerySet(models.QuerySet["Transfer"]):
    """Reads and conditional updates of transfers."""

    def with_secret(self, secret: str) -> Self:
        """The transfer that this sender's secret belongs to."""
        return self.filter(secret_digest=secret_digest(secret))

    def linked(self, token: str) -> Self:
        """The transfer behind a link, with whoever sent it."""
        return self.filter(token=token).select_related("owner")

    def of_sender(self, token: str, secret: str) -> Self:
        """The transfer behind a link, for whoever shows the secret that belongs to it."""
        return self.filter(token=token).with_secret(secret)

    def alive(self, now: datetime) -> Self:
        """Transfers whose link works."""
        return self.filter(expires_at__gte=now)

    def expired(self, now: datetime) -> Self:
        """Transfers whose bytes may go."""
        return self.filter(expires_at__lt=now)

    def hidden(self) -> Self:
        """Transfers that nobody has been told of: no secret opens them (see `hidden_digest`)."""
        return self.filter(secret_digest__startswith="-")  # noqa: S106 - no password

    def lock_question(self, transfer_id: uuid.UUID, check: Callable[[datetime | None], None]) -> Question:
        """Lock the transfer until the transaction ends; `check` is told when it expires, None if there is none."""
        return Question(_LOCK, {"transfer": transfer_id}, lambda row: check(row[0] if row else None))

    def files_question(self, transfer_id: uuid.UUID, check: Callable[[int], None]) -> Question:
        """How many files the transfer has, the transaction's own new ones included."""
        return Question(_COUNT_FILES, {"transfer": transfer_id}, lambda row: check(row[0]))


class Transfer(models.Model):
    """What a sender makes and a recipient opens: one link, one or more files."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token = models.CharField(max_length=64, unique=True, default=new_token, editable=False)
    secret_digest = models.CharField(max_length=64, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="transfers"
    )
    title = models.CharField(max_length=TITLE_MAX_CHARACTERS, blank=True)
    message = models.TextField(max_length=MESSAGE_MAX_CHARACTERS, blank=True)
    password = models.CharField(max_length=128, blank=True, help_text="Hashed; empty means none.")
    download_limit = models.PositiveIntegerField(null=True, blank=True)
    download_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)

    objects = TransferQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(download_limit__isnull=True) | Q(download_count__lte=F("download_limit")),
                name="transfer_downloads_within_limit",
            )
        ]

    def __str__(self) -> str:
        return self.title or self.token

    @property
    def state(self) -> TransferState:
        """What the files add up to; one query unless `files` was prefetched."""
        return transfer_state(file.state for file in self.files.all())

    @property
    def grant(self) -> str:
        """What a visitor's session holds after the right password. Another password makes it worthless."""
        return salted_hmac("apps.transfers.grant", f"{self.pk}:{self.password}").hexdigest()

    def get_absolute_url(self) -> str:
        """The link a recipient opens, as a path."""
        return f"/t/{self.token}"


class FileQuerySet(models.QuerySet["File"]):
    """Reads and conditional updates of files."""

    def of_link(self, token: str, file_id: uuid.UUID) -> Self:
        """One file behind a link, with its transfer, in one query."""
        return self.filter(pk=file_id, transfer__token=token).select_related("transfer")

    def with_upload(self) -> Self:
        """Each file with the upload it arrives through, in the same query."""
        return self.select_related("transfer", "upload")

    def lock_uploads(self) -> list[str]:
        """The ids of these files' uploads, locked: no part can be committed until this transaction ends.

        Those of the partial uploads that they are made of come with them.
        """
        arriving = self.filter(upload__isnull=False).select_related("upload")
        locked: Any = arriving.select_for_update(of=("upload",)).order_by("pk")
        ids = [str(file.upload.pk) for file in locked]
        # What they are made of, where they were sent in several runs: those take no bytes any more.
        partials = self.filter(upload__partials__isnull=False).values_list("upload__partials", flat=True)
        return [*ids, *map(str, partials)]

    def blob_keys(self) -> list[str]:
        """Where the published bytes of these files lie."""
        return list(self.exclude(blob_key="").values_list("blob_key", flat=True))

    def count_download(self, *, transfer_id: uuid.UUID, file_id: uuid.UUID) -> bool:
        """Use up one download of the transfer and count it for the file; False if none was left. In one conditional
        statement: two racing requests cannot share the last one.
        """
        with connections[self.db].cursor() as cursor:
            cursor.execute(_COUNT_DOWNLOAD, {"transfer": transfer_id, "file": file_id})
            return cursor.fetchone() is not None

    def unclaimed(self, now: datetime) -> Self:
        """Files that wait for a worker: nobody owns them, or whoever did has not renewed."""
        return self.filter(state=FileState.PROCESSING).filter(
            Q(claimed_until__isnull=True) | Q(claimed_until__lt=now)
        )

    def claim(self, file_id: uuid.UUID, token: uuid.UUID, seconds: float) -> bool:
        """Own a file for some seconds, unless another worker does. One conditional UPDATE."""
        now = timezone.now()
        return bool(
            self.unclaimed(now)
            .filter(pk=file_id)
            .update(
                claim_token=token, claimed_until=now + timedelta(seconds=seconds), attempts=F("attempts") + 1
            )
        )

    def claimed_by(self, file_id: uuid.UUID, token: uuid.UUID) -> Self:
        """The file, if this token still owns it."""
        return self.filter(pk=file_id, state=FileState.PROCESSING, claim_token=token)

    def renew_claim(self, file_id: uuid.UUID, token: uuid.UUID, seconds: float) -> bool:
        """Keep owning a file; False when another worker took it over."""
        until = timezone.now() + timedelta(seconds=seconds)
        return bool(self.claimed_by(file_id, token).update(claimed_until=until))

    def publish(
        self, file_id: uuid.UUID, token: uuid.UUID, *, blob_key: str, sha256: str, content_type: str
    ) -> bool:
        """Make a file ready, if this token still owns it: a file is published once, by one worker."""
        return bool(
            self.claimed_by(file_id, token).update(
                state=FileState.READY,
                blob_key=blob_key,
                sha256=sha256,
                content_type=content_type,
                ready_at=timezone.now(),
                claim_token=None,
                claimed_until=None,
            )
        )

    def reject(self, file_id: uuid.UUID, token: uuid.UUID, reason: str) -> bool:
        """Refuse a file for good, if this token still owns it."""
        return bool(
            self.claimed_by(file_id, token).update(
                state=FileState.REJECTED, reason=reason, claim_token=None, claimed_until=None
            )
        )


class File(models.Model):
    """One file of a transfer. `blob_key` names its published bytes; the name is never part of a path."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    transfer = models.ForeignKey(Transfer, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=255)
    size = models.BigIntegerField(help_text="Bytes, as announced and then enforced.")
    state = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in FileState], default=FileState.UPLOADING
    )
    reason = models.CharField(max_length=200, blank=True, help_text="Why the file was rejected.")
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
    def download_path(self) -> str:
        """Where a recipient gets the bytes, as a path."""
        return f"/d/{self.transfer.token}/{self.pk}"
