"""Owns the refusals that only the API has: code, status and words. Decides nothing."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.common.errors import InvalidInputError
from apps.transfers.errors import MethodNotAllowedError


class ApiInputError(InvalidInputError):
    """A field of the body or the query that cannot be read; `field` says which, `reason` why."""

    code = "invalid_request"
    message = _("A field of this request cannot be used.")

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(data={"field": field, "reason": reason})


class CursorError(InvalidInputError):
    """Not a cursor that a list gave out."""

    code = "cursor_invalid"
    message = _("This is not a cursor of this list.")
    what_to_do = _("Begin at the first page, or send what `next` said.")


class ApiMethodError(MethodNotAllowedError):
    """There is something here, but not for this method; `Allow` says for which."""

    message = _("This address does not answer to this method.")
    what_to_do = _("See /api/v1/docs.")

    def __init__(self, allowed: str) -> None:
        super().__init__(data={"allowed": allowed.split(", ")}, headers={"Allow": allowed})


def first_reason(errors: list[dict[str, Any]]) -> tuple[str, str]:
    """Of what the schema complains of, the first: the field's name and why."""
    first = errors[0] if errors else {}
    place = [str(part) for part in first.get("loc", ()) if part not in ("body", "query", "path", "choices")]
    return ".".join(place)[:100], str(first.get("msg", ""))[:200]
