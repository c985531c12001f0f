"""Owns the words that the console's tables are written in, with what people read for them."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ReportReason(TextChoices):
    """What a reporter chooses from."""

    MALWARE = "malware", _("It is or contains malware")
    PHISHING = "phishing", _("It pretends to be somebody else (phishing)")
    COPYRIGHT = "copyright", _("It breaks somebody's rights")
    ILLEGAL = "illegal", _("It is against the law")
    PRIVATE = "private", _("It shows private things of mine")
    OTHER = "other", _("Something else")


class ReportState(TextChoices):
    """Where a report is."""

    OPEN = "open", _("open")
    RESOLVED = "resolved", _("resolved")
    DISMISSED = "dismissed", _("dismissed")


class JobState(TextChoices):
    """Where a failed job is."""

    FAILED = "failed", _("failed")
    RETRIED = "retried", _("retried")
    DISMISSED = "dismissed", _("dismissed")
