"""Owns what every list of the API is asked with. Reads nothing."""

from typing import Any

from ninja import Query

PAGE_MAX = 100
# The library's Query is a type and a function, which its stubs cannot say.
CURSOR: Any = Query("", description="Where to go on: what `next` of the page before said.")  # type: ignore[type-arg]  # generic in its types only
LIMIT: Any = Query(25, ge=1, le=PAGE_MAX, description="How many at most.")  # type: ignore[type-arg]  # generic in its types only
