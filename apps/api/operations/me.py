"""Owns /api/v1/me: whose token this is, how much they have here, what this site takes."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja import Router

from apps.accounts.quota import account_gauge
from apps.api.auth import token_of
from apps.api.documenting import refusals
from apps.api.schemas import Me

router = Router(tags=["account"])


@router.get("/me", response=Me, summary="Who am I", operation_id="me", openapi_extra=refusals())
def me(request: HttpRequest) -> dict[str, Any]:
    """Whose token this is, how much of their quota is used, and what this site takes."""
    token = token_of(request)
    user, gauge = token.user, account_gauge(token.user)
    return {
        "username": user.username,
        "name": user.get_full_name(),
        "email": user.email,
        "token": token,
        "quota": {
            "used_bytes": gauge.used_bytes,
            "max_bytes": gauge.max_bytes or None,
            "left_bytes": gauge.left_bytes,
        },
        "limits": {
            "max_file_bytes": settings.MAX_FILE_BYTES,
            "max_transfer_bytes": settings.MAX_TRANSFER_BYTES or None,
            "max_transfer_files": settings.MAX_TRANSFER_FILES,
            "expires_days": min(settings.TRANSFER_EXPIRES_DAYS, settings.TRANSFER_EXPIRES_DAYS_MAX),
            "expires_days_max": settings.TRANSFER_EXPIRES_DAYS_MAX,
        },
    }
