"""Owns how a long list is walked by keys: a page begins after a row, never at a number. Knows no model's meaning."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

PAGE_ROWS = 20
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Page(Generic[M]):
    """Rows, newest first, and the cursors of the pages beside it; empty where there is none."""

    rows: list[M]
    older: str
    newer: str


def page_of(request: HttpRequest, rows: QuerySet[M]) -> Page[M]:
    """The page that `?after=` or `?before=` asks for, of rows with `created_at` and a uuid `pk`; the first page when
    the cursor is none of ours. One query, by the index that ends in -created_at.
    """
    after, before = _place(request, "after"), _place(request, "before")
    if before is not None and after is None:
        found = list(_beside(rows, before, newer=True).order_by("created_at", "pk")[: PAGE_ROWS + 1])
        more, found = len(found) > PAGE_ROWS, found[:PAGE_ROWS][::-1]
        return Page(found, older=_cursor(found[-1]) if found else "", newer=_cursor(found[0]) if more else "")
    if after is not None:
        rows = _beside(rows, after, newer=False)
    found = list(rows.order_by("-created_at", "-pk")[: PAGE_ROWS + 1])
    more, found = len(found) > PAGE_ROWS, found[:PAGE_ROWS]
    return Page(
        found, older=_cursor(found[-1]) if more else "", newer=_cursor(found[0]) if after and found else ""
    )


def _beside(rows: QuerySet[M], place: tuple[datetime, uuid.UUID], *, newer: bool) -> QuerySet[M]:
    moment, pk = place
    side = "gt" if newer else "lt"
    # The first condition alone is what the index is searched by.
    tie = Q(**{f"created_at__{side}": moment}) | Q(**{f"pk__{side}": pk})
    return rows.filter(tie, **{f"created_at__{side}e": moment})


def _cursor(row: Any) -> str:
    microseconds = round(row.created_at.timestamp() * 1_000_000)
    return f"{microseconds}-{row.pk.hex}"


def _place(request: HttpRequest, name: str) -> tuple[datetime, uuid.UUID] | None:
    microseconds, _, pk = request.GET.get(name, "").partition("-")
    try:
        # By whole and part: a float of the whole has not enough digits.
        whole, part = divmod(int(microseconds), 1_000_000)
        return datetime.fromtimestamp(whole, UTC).replace(microsecond=part), uuid.UUID(pk)
    except (ValueError, OverflowError, OSError):
        return None
