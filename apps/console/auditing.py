"""Owns writing the audit log. Called inside the transaction of what it tells of: either both stand, or neither does."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import structlog
from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest

from apps.console.models import AuditEntry
from apps.console.rules import label_of
from apps.throttling.address import client_address

logger = structlog.get_logger(__name__)
# What staff can do beside adding, changing and removing rows.
CODES = (
    *("staff_signed_in", "instance_drained", "transfer_taken_down", "transfer_restored"),
    *("sender_blocked", "sender_unblocked", "report_resolved", "report_dismissed"),
    *("job_retried", "job_dismissed", "throttled_let_in", "exported"),
)
# Of these only that they changed is kept.
_SECRETS = frozenset(
    {"password", "password1", "password2", "usable_password", "token", "secret_digest", "data"}
)
_HIDDEN = "•••"
_VALUE_MAX_CHARACTERS = 500


def audit_write(
    request: HttpRequest,
    code: str,
    *,
    target: Model | None = None,
    label: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Note that whoever asks did `code` to `target` (or to what `label` names), and what it changed."""
    entry = AuditEntry.objects.create(
        who=request.user.get_username(),
        code=code,
        object_type=target._meta.label_lower if target else "",
        object_id=str(target.pk)[:64] if target else "",
        label=label_of(label or (str(target) if target else ""), 200),
        before=_plain(before or {}),
        after=_plain(after or {}),
        address=client_address(request),
        request_id=str(getattr(request, "request_id", ""))[:64],
        instance=settings.INSTANCE,
    )
    logger.info("audit", code=code, who=entry.who, object=entry.object_id)
    return entry


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON: short, and without what must stay secret."""
    return {name: _HIDDEN if name in _SECRETS else _plain_value(value) for name, value in values.items()}


def _plain_value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list | tuple | set):
        return [_plain_value(each) for each in value][:100]
    return label_of(str(value), _VALUE_MAX_CHARACTERS)
