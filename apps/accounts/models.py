"""Owns people, and how much each of them may have here."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """Somebody who signs in. Our own model from the first migration: it cannot be swapped in later."""

    quota_bytes = models.PositiveBigIntegerField(
        "quota",
        null=True,
        blank=True,
        help_text="Most bytes this account may have here at a time; 0: no limit; empty: as MAX_ACCOUNT_BYTES says.",
    )
