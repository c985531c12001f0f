"""Owns the table of senders who are blocked: an account, or a client address as its digest."""

from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class BlockQuerySet(models.QuerySet["Block"]):
    """Reads and conditional updates of blocks."""

    def standing(self, now: datetime) -> Self:
        """Those that hold now."""
        return self.filter(lifted_at=None).filter(Q(until=None) | Q(until__gt=now))

    def on(self, *, account_id: int | None, digest: str) -> Self:
        """Those on an account, or on the digest of an address."""
        wanted = Q(address_digest=digest) if digest else Q(pk__in=())
        if account_id is not None:
            wanted |= Q(account_id=account_id)
        return self.filter(wanted)

    def lift(self, block_id: int, *, by: str) -> bool:
        """End one, unless it has ended. One conditional UPDATE."""
        now = timezone.now()
        return bool(self.standing(now).filter(pk=block_id).update(lifted_at=now, lifted_by=by))


class Block(models.Model):
    """Somebody who may not send here, until a moment or for good. Who they are is an account or an address."""

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="blocks"
    )
    address_digest = models.CharField(max_length=64, blank=True, editable=False)
    shown = models.CharField(max_length=200, help_text="Who it is, in words.")
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(null=True, blank=True, help_text="Empty: for good.")
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=150, blank=True)

    objects = BlockQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["address_digest"], name="block_of_address", condition=~Q(address_digest=""))
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(account__isnull=False) ^ ~Q(address_digest=""), name="block_is_of_somebody"
            )
        ]

    def __str__(self) -> str:
        return self.shown
