"""Owns how the console finds rows among millions: by exact keys and by the words of names, never by a scan.

Each search ends after some rows, whatever it finds. The expressions are those of the indexes in migration 0002.
"""

import re
import uuid
from typing import Any

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.transfers.models import File, Transfer

MOST = 1000
_TOKEN = re.compile(r"(?:.*/[tmr]/)?([A-Za-z0-9_-]{16,64})(?:[/?#].*)?")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_WORD = re.compile(r"\w+")
# What parts the words of a name, as the indexes have it: `report_2026-final.pdf` holds four.
WORDS_OF = "to_tsvector('simple', translate({column}, './\\_-@+()[]{{}}', '             '))"


def as_uuid(term: str) -> uuid.UUID | None:
    """The key that somebody pasted, if it is one."""
    try:
        return uuid.UUID(term.strip())
    except ValueError:
        return None


def words_query(term: str) -> str:
    """What the words of a search are for `to_tsquery`: each is the beginning of a word, and all must be there."""
    return " & ".join(f"{word}:*" for word in _WORD.findall(term.replace("_", " "))[:8])


def _with_words(rows: QuerySet[Any], column: str, term: str) -> QuerySet[Any]:
    query = words_query(term)
    if not query:
        return rows.none()
    named = f"{rows.model._meta.db_table}.{column}"
    where = f"{WORDS_OF.format(column=named)} @@ to_tsquery('simple', %s)"
    return rows.extra(where=[where], params=[query])  # noqa: S610 - an expression index wants its own words


def transfer_ids(term: str) -> set[uuid.UUID]:
    """Transfers by key, link, owner, words of the title, or words of a file's name."""
    found = _by_key(term)
    owners = list(User.objects.filter(username=term).values_list("pk", flat=True)[:5])
    owners += User.objects.filter(email__iexact=term).values_list("pk", flat=True)[:5] if "@" in term else []
    for owner_id in owners:
        found |= set(Transfer.objects.filter(owner_id=owner_id).values_list("pk", flat=True)[:MOST])
    titled = _with_words(Transfer.objects.order_by(), "title", term)
    found |= set(titled.values_list("pk", flat=True)[:MOST])
    named = _with_words(File.objects.order_by(), "name", term)
    return found | set(named.values_list("transfer_id", flat=True)[:MOST])


def _by_key(term: str) -> set[uuid.UUID]:
    key, link = as_uuid(term), _TOKEN.fullmatch(term.strip())
    found = {key} if key else set()
    if link:
        found |= set(Transfer.objects.filter(token=link[1]).values_list("pk", flat=True))
    return found


def file_ids(term: str) -> set[uuid.UUID]:
    """Files by key, checksum, words of the name, or their transfer's key or link."""
    key = as_uuid(term)
    found = {key} if key else set()
    if _SHA256.fullmatch(term.strip()):
        same = File.objects.filter(sha256=term.strip().lower()).exclude(sha256="")
        found |= set(same.order_by().values_list("pk", flat=True)[:MOST])
    of_transfers = File.objects.filter(transfer__in=_by_key(term)).order_by()
    found |= set(of_transfers.values_list("pk", flat=True)[:MOST])
    named = _with_words(File.objects.order_by(), "name", term)
    return found | set(named.values_list("pk", flat=True)[:MOST])
