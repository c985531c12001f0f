"""Owns the promise that the bytes of deleted rows go too. Removes none itself: the workers do."""

import uuid
from collections.abc import Iterable

from apps.common.enqueue import enqueue
from apps.transfers.models import Discard

_BATCH = 1000


def discard_later(*, blob_keys: Iterable[str], upload_ids: Iterable[str]) -> None:
    """Have these bytes removed. Call it inside the transaction that deletes the rows which name them.

    `upload_ids` are uploads' ids as text. The message makes it happen at once; where it is lost, a sweep finds the
    rows.
    """
    keys, uploads = list(blob_keys), list(upload_ids)
    if not keys and not uploads:
        return
    Discard.objects.bulk_create(
        [
            *(Discard(blob_key=key) for key in keys),
            *(Discard(upload_id=uuid.UUID(upload_id)) for upload_id in uploads),
        ],
        batch_size=_BATCH,
    )
    enqueue("processing.discard", {"blob_keys": keys, "upload_ids": uploads})
