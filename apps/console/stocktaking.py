"""Owns adding up what the store holds and whose it is. A worker does it every few minutes; pages read the result."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apps.console.models import Stock
from apps.console.rules import label_of
from apps.uploads.ports import StoreError
from apps.uploads.store import blob_store

KEPT = timedelta(days=2)
_MOST = 20
# No request waits for these; a worker must not either.
_LIMIT_MS = 120_000
_BY_STATE = """
SELECT state, count(*), coalesce(sum(size), 0)::bigint FROM transfers_file GROUP BY state
"""
# Quotas are about reserved room, so that is what is shown beside them.
_ACCOUNTS = """
SELECT owner_id, used, username, quota_bytes FROM (
    SELECT owner_id, sum(reserved)::bigint AS used FROM uploads_upload
    WHERE owner_id IS NOT NULL GROUP BY owner_id ORDER BY used DESC LIMIT %(most)s
) AS largest JOIN accounts_user ON accounts_user.id = owner_id ORDER BY used DESC
"""
_TRANSFERS = """
SELECT transfer_id, title, files, used FROM (
    SELECT transfer_id, count(*) AS files, sum(size)::bigint AS used FROM transfers_file
    WHERE state <> 'rejected' GROUP BY transfer_id ORDER BY used DESC LIMIT %(most)s
) AS largest JOIN transfers_transfer ON transfers_transfer.id = transfer_id ORDER BY used DESC
"""


def stock_take() -> Stock:
    """Add up, and forget what was added up days ago."""
    with transaction.atomic():
        by_state = {state: [files, size] for state, files, size in _rows(_BY_STATE)}
        accounts = [[pk, name, used, quota] for pk, used, name, quota in _rows(_ACCOUNTS)]
        transfers = [
            [str(pk), label_of(title, 60), files, used] for pk, title, files, used in _rows(_TRANSFERS)
        ]
        Stock.objects.filter(at__lt=timezone.now() - KEPT).delete()
        return Stock.objects.create(
            used_bytes=sum(size for state, (_, size) in by_state.items() if state != "rejected"),
            free_bytes=_free_bytes(),
            by_state=by_state,
            accounts=[
                [*row[:3], settings.MAX_ACCOUNT_BYTES if row[3] is None else row[3]] for row in accounts
            ],
            transfers=transfers,
        )


def _rows(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(_LIMIT_MS)])
        cursor.execute(sql, {"most": _MOST})
        return list(cursor.fetchall())


def _free_bytes() -> int | None:
    try:
        return blob_store().free_bytes()
    except StoreError:
        return None
