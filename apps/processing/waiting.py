"""Owns how much waits for a worker and for how long, in one query. Changes nothing."""

from datetime import datetime

from django.db import connections, transaction
from django.db.models import Count, Min
from django.db.models.functions import Greatest
from django.utils import timezone

from apps.transfers.models import File

# Whoever asks has to see to other things as well, and can ask again.
_LIMIT_MILLISECONDS = 500


def files_waiting(using: str) -> tuple[int, float]:
    """How many files wait that no worker has, and for how many seconds the oldest has been there to be taken.

    That is since it had arrived whole, or since the last worker that had it let go of it. What the release before
    handed over says neither: it is counted, and has no age until a worker had it. Raises OperationalError when the
    database takes long.
    """
    now = timezone.now()
    with transaction.atomic(using=using):
        with connections[using].cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(_LIMIT_MILLISECONDS)])
        found = (
            File.objects.using(using)
            .unclaimed(now)
            .order_by()
            .aggregate(count=Count("pk"), since=Min(Greatest("arrived_at", "claimed_until")))
        )
    since: datetime | None = found["since"]
    return found["count"], max(0.0, (now - since).total_seconds()) if since else 0.0
