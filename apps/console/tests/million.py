"""Owns a database with a million transfers, files and uploads, filled by PostgreSQL itself. Checks nothing."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

ROWS = 1_000_000
UPLOADS = 100_000  # those of the newest files: an upload is forgotten with its transfer
BIG = ("transfers_transfer", "transfers_file", "uploads_upload")
# What a list of fifty rows may read: the counted part of an index, twice, and some.
MOST_READ = 30_000

# Keys grow with the rows, so that an index is only ever added to at its end: random ones take three times as long.
_KEY = "('0000000%s-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
_PEOPLE = """
INSERT INTO accounts_user (
    username, password, first_name, last_name, email, is_superuser, is_staff, is_active, date_joined
)
SELECT 'user' || n, '!', '', '', 'user' || n || '@example.com', false, false, true, now()
FROM generate_series(1, 1000) n
"""
_TRANSFERS = f"""
INSERT INTO transfers_transfer (
    id, token, secret_digest, owner_id, title, message, password, download_count, created_at, expires_at,
    closed_at, taken_down_at
)
SELECT {_KEY % 1}, 'token' || lpad(n::text, 17, '0'), 'secret' || lpad(n::text, 58, '0'),
    CASE WHEN n % 2 = 0 THEN {{first}} + n % 1000 END,
    CASE WHEN n % 3 = 0 THEN '' ELSE (ARRAY['Holiday', 'Report', 'Plans', 'Minutes'])[1 + n % 4] || ' ' || n END,
    '', '', n % 5, now() - n * interval '2 seconds', now() + ({ROWS // 10} - n) * interval '2 seconds',
    CASE WHEN n % 1000 = 1 THEN now() END, CASE WHEN n % 10000 = 2 THEN now() END
FROM generate_series(1, {ROWS}) n
"""
_FILES = f"""
INSERT INTO transfers_file (
    id, transfer_id, name, size, state, reason, claimed_type, content_type, expected_sha256, sha256, blob_key,
    download_count, attempts, created_at
)
SELECT {_KEY % 2}, {_KEY % 1},
    (ARRAY['photo', 'film', 'letter', 'backup'])[1 + n % 4] || '_' || n || '.'
        || (ARRAY['jpg', 'mp4', 'pdf'])[1 + n % 3],
    n, CASE WHEN n % 5000 = 0 THEN 'rejected' WHEN n % 4000 = 0 THEN 'processing'
        WHEN n % 2000 = 0 THEN 'uploading' ELSE 'ready' END,
    '', '', 'application/pdf', '', lpad(to_hex(n), 64, '0'), lpad(to_hex(n), 38, '0'), 0, 0,
    now() - n * interval '2 seconds'
FROM generate_series(1, {ROWS}) n
"""
_UPLOADS = f"""
INSERT INTO uploads_upload (
    id, file_id, transfer_id, length, "offset", reserved, owner_id, staged, metadata, created_at, expires_at,
    lease_instance, lease_wanted
)
SELECT {_KEY % 3}, {_KEY % 2}, {_KEY % 1}, n, CASE WHEN n % 200 = 0 THEN 0 ELSE n END, n,
    CASE WHEN n % 2 = 0 THEN {{first}} + n % 1000 END, n % 200 = 0, '', now() - n * interval '2 seconds',
    now() + interval '1 day', '', false
FROM generate_series(1, {UPLOADS}) n
"""


def fill() -> float:
    """Fill the tables; how many seconds that took. Foreign keys are right by construction and not looked up."""
    began = time.monotonic()
    with connection.cursor() as cursor:
        _drop_foreign_keys(cursor)
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SET maintenance_work_mem = '256MB'")
        indexes = _drop_indexes(cursor)
        cursor.execute(_PEOPLE)
        cursor.execute("SELECT min(id) FROM accounts_user WHERE username LIKE 'user%'")
        first = cursor.fetchone()[0]
        for statement in (_TRANSFERS, _FILES, _UPLOADS):
            cursor.execute(statement.format(first=first))
        for index in indexes:
            cursor.execute(index)
        cursor.execute("RESET synchronous_commit")
        cursor.execute("RESET maintenance_work_mem")
        for table in (*BIG, "accounts_user"):
            cursor.execute(f"VACUUM ANALYZE {table}")
    return time.monotonic() - began


def empty() -> None:
    """As it was before: no rows, all foreign keys, which nothing has to be looked up for now."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(BIG)}, accounts_user CASCADE")
        for table, name, definition in _dropped:
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
        _dropped.clear()
        for table in BIG:
            cursor.execute(f"VACUUM ANALYZE {table}")


_dropped: list[tuple[str, str, str]] = []


def _drop_foreign_keys(cursor: Any) -> None:
    """Looking up three million references one by one takes minutes."""
    cursor.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE contype = 'f' AND conrelid::regclass::text = ANY(%s)",
        [list(BIG)],
    )
    _dropped.extend(cursor.fetchall())
    for table, name, _ in _dropped:
        cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')


def _drop_indexes(cursor: Any) -> list[str]:
    """Drop what no constraint stands on, and return how to make it again: at the end that takes a fraction."""
    cursor.execute(
        "SELECT indexdef, indexname FROM pg_indexes WHERE tablename = ANY(%s) AND indexname NOT IN "
        "(SELECT conname FROM pg_constraint)",
        [list(BIG)],
    )
    found = cursor.fetchall()
    for _, name in found:
        cursor.execute(f'DROP INDEX "{name}"')
    return [definition for definition, _ in found]


@dataclass
class Seen:
    """The statements of one page, with what PostgreSQL did for each."""

    plans: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def scans(self) -> list[str]:
        """Sequential scans of big tables, with the statement."""
        return [
            f"{node['Relation Name']}: {sql[:300]}"
            for sql, plan in self.plans
            for node in _nodes(plan)
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in BIG
        ]

    def most_read(self) -> tuple[float, str]:
        """The most rows that one step of one statement went through, and that statement."""
        return max(
            (
                (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"],
                f"{node['Node Type']}: {sql[:300]}",
            )
            for sql, plan in self.plans
            for node in _nodes(plan)
            # A word that many names hold is one long list of places, read in one go; their rows are not.
            if node["Node Type"] != "Bitmap Index Scan"
        )


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


@contextmanager
def explained() -> Iterator[Seen]:
    """Every SELECT that names a big table is explained, with what it really read, right before it is run."""
    seen = Seen()

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if re.match(r"\s*SELECT", sql) and any(f'"{table}"' in sql for table in BIG):
            with context["connection"].cursor().cursor as raw:
                raw.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
                seen.plans.append((sql, raw.fetchone()[0][0]["Plan"]))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        yield seen
