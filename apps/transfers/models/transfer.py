"""Owns the table of transfers, its constraints and what is asked of it while it is locked."""

import hashlib
import secrets
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.crypto import salted_hmac

from apps.common.together import Question
from apps.transfers.rules import LinkState, TransferState, clean_line, link_state, transfer_state

TITLE_MAX_CHARACTERS = 200
MESSAGE_MAX_CHARACTERS = 5000
SENDER_NAME_MAX_CHARACTERS = 100
LANGUAGE_MAX_CHARACTERS = 16
TOKEN_BYTES = 16  # 128 bits: a link is a capability, it must not be guessable

# NO KEY: rows that only refer to the transfer need not wait.
_LOCK = "SELECT expires_at, taken_down_at FROM transfers_transfer WHERE id = %(transfer)s FOR NO KEY UPDATE"
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

    def of_browser(self, browser: str) -> Self:
        """What was sent from one browser without an account."""
        # Written out, so that the planner sees that it may use the partial index.
        return self.filter(browser_digest=secret_digest(browser), owner=None).exclude(browser_digest="")

    def controlled(self, token: str, *, secret: str, owner_id: int | None, browser: str) -> Self:
        """The transfer behind a link, for whoever holds its secret, owns it, or sits at the browser that sent it. One
        that is hidden is nobody's yet.
        """
        ways = Q(secret_digest=secret_digest(secret))
        if owner_id is not None:
            ways |= Q(owner=owner_id)
        if browser:
            ways |= Q(browser_digest=secret_digest(browser), owner=None)
        return self.filter(ways, token=token).told()

    def told(self) -> Self:
        """All but `hidden`."""
        return self.exclude(secret_digest__startswith="-")  # noqa: S106 - no password

    def sent_by(self, owner_id: int) -> Self:
        """What somebody sent, without what others sent to them."""
        return self.filter(owner=owner_id, request=None).told()

    def received_by(self, owner_id: int) -> Self:
        """What others sent through somebody's requests."""
        return self.filter(owner=owner_id, request__isnull=False).told()

    def shown_as(self, state: LinkState, now: datetime) -> Self:
        """Those whose link is in this state; what staff took down counts as closed."""
        if state in (LinkState.CLOSED, LinkState.TAKEN_DOWN):
            return self.exclude(closed_at=None, taken_down_at=None)
        untouched = self.filter(closed_at=None, taken_down_at=None)
        return untouched.alive(now) if state is LinkState.OPEN else untouched.expired(now)

    def alive(self, now: datetime) -> Self:
        """Transfers whose link works."""
        return self.filter(expires_at__gte=now)

    def expired(self, now: datetime) -> Self:
        """Transfers whose bytes may go. What staff took down can be restored, and goes by a clock of its own."""
        return self.filter(expires_at__lt=now, taken_down_at=None)

    def taken_down_before(self, moment: datetime) -> Self:
        """What was taken down so long ago that nobody may restore it any more."""
        return self.filter(taken_down_at__lt=moment)

    def hidden(self) -> Self:
        """Transfers that nobody has been told of: no secret opens them (see `hidden_digest`)."""
        return self.filter(secret_digest__startswith="-")  # noqa: S106 - no password

    def lock(self, transfer_id: uuid.UUID) -> bool:
        """Keep a transfer from being removed until this transaction ends, False if it was: for rows that hang on it."""
        return self.select_for_update(no_key=True).filter(pk=transfer_id).exists()

    def lock_question(
        self, transfer_id: uuid.UUID, check: Callable[[datetime | None, datetime | None], None]
    ) -> Question:
        """Lock the transfer until the transaction ends; `check` is told when it expires (None if there is none) and
        when staff took it down (None if they did not).
        """
        return Question(
            _LOCK, {"transfer": transfer_id}, lambda row: check(*(row[:2] if row else (None, None)))
        )

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
    closed_at = models.DateTimeField(null=True, blank=True, help_text="When its sender closed the link.")
    taken_down_at = models.DateTimeField(null=True, blank=True, help_text="When staff closed the link.")
    take_down_reason = models.CharField(max_length=200, blank=True, db_default="")
    delete_after_download = models.BooleanField(
        default=False, db_default=False, help_text="It goes once every file was downloaded."
    )
    notify_on_download = models.BooleanField(
        default=False, db_default=False, help_text="Tell the owner of the first download."
    )
    notified_at = models.DateTimeField(null=True, blank=True, editable=False)
    browser_digest = models.CharField(
        max_length=64,
        blank=True,
        db_default="",
        editable=False,
        help_text="Which browser sent it, if nobody was signed in.",
    )
    request = models.ForeignKey(
        "transfers.FileRequest",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="transfers",
        help_text="The link through which it was sent to its owner.",
    )
    sender_name = models.CharField(
        max_length=SENDER_NAME_MAX_CHARACTERS, blank=True, db_default="", help_text="What the sender says."
    )
    language = models.CharField(
        max_length=LANGUAGE_MAX_CHARACTERS,
        blank=True,
        db_default="",
        editable=False,
        help_text="The sender's, for mail.",
    )

    objects = TransferQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [
            models.Index(fields=["owner", "-created_at"], name="transfer_of_owner"),
            models.Index(fields=["-created_at"], name="transfer_newest"),
            models.Index(
                fields=["browser_digest", "-created_at"],
                name="transfer_of_browser",
                condition=~Q(browser_digest=""),
            ),
            models.Index(
                fields=["owner", "-created_at"],
                name="transfer_received",
                condition=Q(request__isnull=False),
            ),
        ]
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

    def link_state(self, now: datetime) -> LinkState:
        """Whether the link opens for a recipient, or why not."""
        return link_state(
            expires_at=self.expires_at, closed_at=self.closed_at, taken_down_at=self.taken_down_at, now=now
        )

    @property
    def sender_words(self) -> str:
        """What the sender is called, empty when nobody knows: a guest as they call themselves, never the owner of the
        request who got it. One line without hidden characters.
        """
        if self.request_id is not None or self.owner is None:
            return clean_line(self.sender_name)
        return clean_line(self.owner.get_full_name())

    @property
    def grant(self) -> str:
        """What a visitor's session holds after the right password. Another password makes it worthless."""
        return salted_hmac("apps.transfers.grant", f"{self.pk}:{self.password}").hexdigest()

    @property
    def has_password(self) -> bool:
        """Whether recipients need one."""
        return bool(self.password)

    @property
    def plays(self) -> bool:
        """Whether video and audio may be played on the page: that shows all of their bytes and counts nothing."""
        return self.download_limit is None and not self.delete_after_download

    def get_absolute_url(self) -> str:
        """The link a recipient opens, as a path."""
        return f"/t/{self.token}"
