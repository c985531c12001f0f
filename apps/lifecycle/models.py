"""Owns the table of orders to drain an instance, and the conditional updates of those who race for one."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

REASON_MAX_CHARACTERS = 200


class DrainOrderQuerySet(models.QuerySet["DrainOrder"]):
    """Reads and conditional updates of orders."""

    def open(self) -> Self:
        """Orders whose instance has not been seen to be another one since."""
        return self.filter(closed_at=None)

    def waiting(self, instance: str, boot: str) -> Self:
        """What this life of an instance was told and has not begun yet."""
        return self.open().filter(instance=instance, boot=boot, seen_at=None)

    def close_older(self, instance: str, boot: str) -> int:
        """Another life runs under the instance's name: what was told to those before has been done."""
        return self.open().filter(instance=instance).exclude(boot=boot).update(closed_at=timezone.now())


class DrainOrder(models.Model):
    """An operator's word that one life of one instance should drain and end, as after a SIGTERM."""

    instance = models.CharField(max_length=64)
    boot = models.CharField(max_length=20, help_text="Which life of the instance.")
    by = models.CharField(max_length=150, help_text="Who ordered it.")
    reason = models.CharField(max_length=REASON_MAX_CHARACTERS, blank=True)
    ordered_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(null=True, blank=True, help_text="When the instance began to drain.")
    closed_at = models.DateTimeField(null=True, blank=True, help_text="When another took its place.")

    objects = DrainOrderQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-ordered_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["instance"], name="drain_order_one_open", condition=Q(closed_at=None)
            )
        ]

    def __str__(self) -> str:
        return self.instance
