"""Owns giving up uploads that nobody goes on with: their rows, their room, and soon after their bytes.

Never one that is being appended to, and never one that was taken up again a moment before.
"""

import uuid
from collections.abc import Iterator

import structlog
from django.db import transaction
from django.utils import timezone

from apps.common.errors import SpillwayError
from apps.uploads.models import Upload
from apps.uploads.services import hidden_forget, upload_delete_locked

logger = structlog.get_logger(__name__)

_BATCH = 500


def uploads_expire(*, most: int = 10_000) -> int:
    """Remove unfinished uploads that waited too long, at most `most` of them; returns how many.

    An upload that is being appended to is left alone: its lease is not free. One that cannot be removed now holds up
    none of the others.
    """
    return sum(_expire_one(upload_id) for upload_id in _due(most))


def _due(most: int) -> Iterator[uuid.UUID]:
    """Ids in batches: each goes on behind the last one, whatever became of it."""
    last, left = uuid.UUID(int=0), most
    while left > 0:
        due = Upload.objects.expired(timezone.now()).free().filter(pk__gt=last).order_by("pk")
        batch = list(due.values_list("pk", flat=True)[: min(_BATCH, left)])
        if not batch:
            return
        yield from batch
        last, left = batch[-1], left - len(batch)


def _expire_one(upload_id: uuid.UUID) -> bool:
    """Remove one of them, unless it was taken up again or somebody else is at it."""
    try:
        with transaction.atomic():
            free = (
                Upload.objects.expired(timezone.now())
                .free()
                .select_for_update(skip_locked=True, of=("self",))
            )
            upload = free.filter(pk=upload_id).first()
            if upload is None:
                return False
            upload_delete_locked(upload)
        hidden_forget(upload)
    except SpillwayError as refusal:
        logger.warning("upload_not_expired", upload=str(upload_id), code=refusal.code)
        return False
    return True
