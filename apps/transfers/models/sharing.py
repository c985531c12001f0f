"""Owns the tables around sharing a transfer: links that ask for files, mails with a link, downloads by day."""

import uuid
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone

from apps.common.work import WorkQuerySet
from apps.transfers.models.file import File
from apps.transfers.models.transfer import (
    LANGUAGE_MAX_CHARACTERS,
    MESSAGE_MAX_CHARACTERS,
    TITLE_MAX_CHARACTERS,
    Transfer,
    new_token,
)
from apps.transfers.rules import FileState, LinkState, MailKind, MailState, link_state

SETTLE = timedelta(seconds=10)  # so old is a transfer's newest file when its link is mailed


class FileRequestQuerySet(models.QuerySet["FileRequest"]):
    """Reads of links that ask for files."""

    def open(self, now: datetime) -> Self:
        """Those through which files can be sent now."""
        return self.filter(closed_at=None, expires_at__gte=now, owner__is_active=True)

    def linked(self, token: str) -> Self:
        """The request behind a link, with whoever asks."""
        return self.filter(token=token).select_related("owner")

    def of_owner(self, owner: AbstractBaseUser) -> Self:
        """Somebody's own, newest first, each with how many transfers came through it (`received`)."""
        return self.filter(owner=owner).annotate(received=Count("transfers")).order_by("-created_at", "-id")


class FileRequest(models.Model):
    """A link through which others can send files to its owner. What comes is a transfer of the owner's."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token = models.CharField(max_length=64, unique=True, default=new_token, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="file_requests"
    )
    title = models.CharField(max_length=TITLE_MAX_CHARACTERS, blank=True)
    message = models.TextField(max_length=MESSAGE_MAX_CHARACTERS, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    language = models.CharField(
        max_length=LANGUAGE_MAX_CHARACTERS,
        blank=True,
        db_default="",
        editable=False,
        help_text="Its owner's, for mail.",
    )

    objects = FileRequestQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return self.title or self.token

    def link_state(self, now: datetime) -> LinkState:
        """Whether files are taken through the link, or why not."""
        return link_state(expires_at=self.expires_at, closed_at=self.closed_at, taken_down_at=None, now=now)

    def get_absolute_url(self) -> str:
        """The link others send files through, as a path."""
        return f"/r/{self.token}"


class LinkMailQuerySet(WorkQuerySet["LinkMail"]):
    """Reads and conditional updates of mails that carry a link."""

    unfinished = (MailState.WAITING,)

    def due(self, now: datetime) -> Self:
        """Those of `unclaimed` that can be sent now. A link goes out when its files are there and it opens; and so does
        the word that files were received. That somebody downloads can be told at once.
        """
        files = File.objects.filter(transfer=OuterRef("transfer"))
        moving = files.filter(state__in=[FileState.UPLOADING, FileState.PROCESSING])
        # A sender's page makes the next file a moment after one before it has arrived: "all files" is known only then.
        young = files.filter(created_at__gt=now - SETTLE)
        whole = Exists(files.filter(state=FileState.READY)) & ~Exists(moving) & ~Exists(young)
        opens = Q(transfer__closed_at=None, transfer__taken_down_at=None, transfer__expires_at__gte=now)
        return self.unclaimed(now).filter(Q(kind=MailKind.DOWNLOADED) | (opens & whole))

    def hopeless(self, now: datetime) -> Self:
        """Links that wait and will never open again."""
        return self.unclaimed(now).filter(~Q(kind=MailKind.DOWNLOADED), transfer__expires_at__lt=now)

    def counts(self, transfers: Iterable[uuid.UUID], kind: MailKind) -> list[tuple[uuid.UUID, str, int]]:
        """(transfer, state, how many) of these transfers' mails of one kind; in one query."""
        rows = self.filter(transfer__in=transfers, kind=kind).order_by().values("transfer_id", "state")
        return list(rows.annotate(number=Count("pk")).values_list("transfer_id", "state", "number"))


class LinkMail(models.Model):
    """A mail about a transfer on its way to one address. The row is the queue of record, the broker the doorbell."""

    transfer = models.ForeignKey(Transfer, on_delete=models.CASCADE, related_name="mails")
    address = models.EmailField()
    kind = models.CharField(
        max_length=16,
        choices=[(k.value, k.value) for k in MailKind],
        default=MailKind.LINK,
        db_default=MailKind.LINK.value,
    )
    state = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in MailState], default=MailState.WAITING
    )
    reason = models.CharField(max_length=200, blank=True, help_text="Why it could not be sent.")
    attempts = models.PositiveIntegerField(default=0, editable=False)
    claim_token = models.UUIDField(null=True, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = LinkMailQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["transfer", "kind", "address"], name="link_mail_once_of_a_kind")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["claimed_until"], name="link_mail_waiting", condition=Q(state=MailState.WAITING)
            )
        ]

    def __str__(self) -> str:
        return f"{self.transfer_id}: {self.state}"


class DownloadDayQuerySet(models.QuerySet["DownloadDay"]):
    """Reads of downloads by day."""

    def since(self, day: date, transfers: Iterable[uuid.UUID]) -> list[tuple[uuid.UUID, date, int]]:
        """(transfer, day, downloads) of these transfers from that day on; in one query."""
        rows = self.filter(transfer__in=transfers, day__gte=day).order_by()
        return list(rows.values_list("transfer_id", "day", "downloads"))


class DownloadDay(models.Model):
    """How often a transfer was downloaded on one day (UTC), and how many bytes that were. Nobody's address is kept."""

    transfer = models.ForeignKey(Transfer, on_delete=models.CASCADE, related_name="download_days")
    day = models.DateField()
    downloads = models.PositiveIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0)

    objects = DownloadDayQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["day"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["transfer", "day"], name="download_day_once")
        ]

    def __str__(self) -> str:
        return f"{self.transfer_id} {self.day}: {self.downloads}"
