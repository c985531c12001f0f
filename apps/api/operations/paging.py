"""Owns what lists of the API are asked with, and how they are turned over. Reads nothing itself."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol, TypeVar

from ninja import Query

from apps.api.cursor import cursor_after, cursor_read

PAGE_MAX = 100
# The library's Query is a type and a function, which its stubs cannot say.
CURSOR: Any = Query("", description="Where to go on: what `next` of the page before said.")  # type: ignore[type-arg]  # generic in its types only
LIMIT: Any = Query(25, ge=1, le=PAGE_MAX, description="How many at most.")  # type: ignore[type-arg]  # generic in its types only
REQUEST: Any = Query(None, alias="request", description="Only what came through this request of yours.")  # type: ignore[type-arg]  # generic in its types only


class _Listed(Protocol):
    """What a list is ordered by."""

    pk: Any
    created_at: datetime


Row = TypeVar("Row", bound=_Listed)


def page_of(
    find: Callable[[tuple[datetime, uuid.UUID] | None, int], list[Row]], cursor: str, limit: int
) -> tuple[list[Row], str | None]:
    """One page, and the cursor of the next one, if there is one. `find` is given where to begin and how many to find.

    Raises CursorError.
    """
    # One more than asked for tells whether there is another page.
    found = find(cursor_read(cursor) if cursor else None, limit + 1)
    page = found[:limit]
    return page, cursor_after(page[-1].created_at, page[-1].pk) if len(found) > limit else None
