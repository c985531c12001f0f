"""Owns how workers race for a row: each claims it for a while, renews, and ends it once. Knows no work of its own.

A row has `state`, `claim_token`, `claimed_until` and `attempts`; it is the queue of record, the broker only a doorbell.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, Self, TypeVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

Work = TypeVar("Work", bound=models.Model)


class WorkQuerySet(models.QuerySet[Work], Generic[Work]):
    """Conditional updates of rows that workers race for. `unfinished` says which states still need one."""

    unfinished: ClassVar[Sequence[str]] = ()

    def unclaimed(self, now: datetime) -> Self:
        """Work that waits for a worker, or whose worker has not come back."""
        return self.filter(state__in=self.unfinished).filter(
            Q(claimed_until__isnull=True) | Q(claimed_until__lt=now)
        )

    def claim(self, pk: Any, token: uuid.UUID, seconds: float, **values: Any) -> bool:
        """Own a row for some seconds, unless another worker does. One conditional UPDATE."""
        now = timezone.now()
        until = now + timedelta(seconds=seconds)
        waiting = self.unclaimed(now).filter(pk=pk)
        return bool(
            waiting.update(claim_token=token, claimed_until=until, attempts=F("attempts") + 1, **values)
        )

    def claimed_by(self, pk: Any, token: uuid.UUID) -> Self:
        """The row, if this token still owns it."""
        return self.filter(pk=pk, state__in=self.unfinished, claim_token=token)

    def renew(self, pk: Any, token: uuid.UUID, seconds: float, **values: Any) -> bool:
        """Keep owning a row; False when another worker took it over, or it is gone."""
        until = timezone.now() + timedelta(seconds=seconds)
        return bool(self.claimed_by(pk, token).update(claimed_until=until, **values))

    def put_back(self, pk: Any, token: uuid.UUID, seconds: float, **values: Any) -> None:
        """Let anybody own the row after a pause, if this token still does."""
        self.claimed_by(pk, token).update(claimed_until=timezone.now() + timedelta(seconds=seconds), **values)

    def finish(self, pk: Any, token: uuid.UUID, state: str, **values: Any) -> bool:
        """End the work, if this token still owns it: it is ended once, by one worker."""
        ended = {"state": state, "claim_token": None, "claimed_until": None}
        return bool(self.claimed_by(pk, token).update(**ended, **values))
