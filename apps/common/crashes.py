"""Owns what is reported of errors that nobody foresaw, to a Sentry or what speaks like one: no secrets, no people.

Imported only where SENTRY_DSN is set.
"""

import logging
import sys
from typing import Any

import sentry_sdk
import structlog
from django.conf import settings
from sentry_sdk.integrations.argv import ArgvIntegration
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from apps.common.masking import masked_within

_FLUSH_SECONDS = 2.0
# Whose errors the integrations of Django and Celery report, and the library's own.
_REPORTED_OTHERWISE = frozenset({"django.request", "celery.app.trace", "sentry_sdk.errors"})


def begin() -> None:
    """Report from this process and those that it forks."""
    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        release=settings.RELEASE,
        server_name=settings.INSTANCE,
        send_default_pii=False,
        # A local variable may be a password, and a body a file.
        include_local_variables=False,
        max_request_body_size="never",
        auto_enabling_integrations=False,
        # A command's arguments may be anything.
        disabled_integrations=[ArgvIntegration],
        integrations=[
            DjangoIntegration(transaction_style="url"),
            CeleryIntegration(),
            # It cannot read our log lines: each would be a kind of error of its own, without a stack.
            LoggingIntegration(level=None, event_level=None, sentry_logs_level=None),
            AtexitIntegration(callback=lambda pending, timeout: None),
        ],
        ignore_errors=[KeyboardInterrupt],
        before_send=without_secrets,
        before_breadcrumb=lambda crumb, hint: None,
        shutdown_timeout=_FLUSH_SECONDS,
    )
    sentry_sdk.get_global_scope().set_tag("role", settings.ROLE)
    lines = ErrorLines(logging.ERROR)
    for name in (None, "gunicorn.error"):  # which tells no other
        logging.getLogger(name).addHandler(lines)


def end() -> None:
    """Send what is left."""
    sentry_sdk.flush(_FLUSH_SECONDS)


def without_secrets(event: Any, hint: Any = None) -> Any:
    """The event with every text in it masked; of the request only its method: its route is the transaction's name."""
    request = event.pop("request", None)
    for name in ("user", "extra"):
        event.pop(name, None)
    if request:
        event["request"] = {"method": request.get("method")}
    asked_by = structlog.contextvars.get_contextvars().get("request_id")
    if asked_by:
        event.setdefault("tags", {})["request_id"] = asked_by
    return masked_within(event)


class ErrorLines(logging.Handler):
    """Reports what is logged as an error together with what was raised. Our lines are grouped by their event's name."""

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging, where the exception is still being handled."""
        ours = record.msg if isinstance(record.msg, dict) else {}
        raised = _raised(ours.get("exc_info") or record.exc_info)
        if raised is None or record.name in _REPORTED_OTHERWISE:
            return
        name = ours.get("event")
        with sentry_sdk.new_scope() as scope:
            scope.set_tag("logger", record.name)
            if name:
                scope.set_tag("event", name)
                scope.fingerprint = [name]
            sentry_sdk.capture_exception(raised)


def _raised(told: Any) -> BaseException | None:
    """What `exc_info` of a log line means: true for what is being handled, an exception, or a triple of it."""
    if told is True:
        return sys.exc_info()[1]
    found = told[1] if isinstance(told, tuple) else told
    return found if isinstance(found, BaseException) else None
