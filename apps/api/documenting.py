"""Owns which refusals an operation documents: read from the error classes, so that the two cannot differ."""

from collections import defaultdict
from typing import Any

from apps.accounts import errors as of_accounts
from apps.api import errors as of_api
from apps.common import errors as of_common
from apps.common.errors import SpillwayError
from apps.transfers import errors as of_transfers

_ALWAYS = (
    "token_required",
    "token_invalid",
    "token_expired",
    "token_revoked",
    "too_many_requests",
    "method_not_allowed",
    "busy",
    "unavailable",
    "internal_error",
)
_WRITES = ("token_scope", "invalid_request", "invalid_input", "body_too_large", "length_required")


def error_classes() -> dict[str, type[SpillwayError]]:
    """Every refusal that the API may answer with, by its code."""
    found: dict[str, type[SpillwayError]] = {}
    for module in (of_common, of_accounts, of_transfers, of_api):
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, SpillwayError)
                and value.__module__ == module.__name__
            ):
                found[value.code] = value
    return found


def refusals(*codes: str, writes: bool = False) -> dict[str, Any]:
    """The `responses` of an operation that may refuse by these codes, and by those that all of them may."""
    known, by_status = error_classes(), defaultdict[int, list[type[SpillwayError]]](list)
    for code in dict.fromkeys([*_ALWAYS, *(_WRITES if writes else ()), *codes]):
        by_status[known[code].status].append(known[code])
    return {"responses": {status: _response(classes) for status, classes in sorted(by_status.items())}}


def _response(classes: list[type[SpillwayError]]) -> dict[str, Any]:
    return {
        "description": " ".join(f"`{each.code}`: {(each.__doc__ or '').splitlines()[0]}" for each in classes),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Error"},
                "examples": {each.code: {"value": _example(each)} for each in classes},
            }
        },
    }


def _example(error: type[SpillwayError]) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": str(error.message), "request_id": "0f1e2d3c4b5a"}}
