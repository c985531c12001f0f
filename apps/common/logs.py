"""Owns how logs look: one JSON object a line, with instance, release and request id."""

import logging.config
from typing import Any

import structlog
from structlog.typing import Processor

from apps.common.masking import masked, masked_within

# The rest, such as an error that somebody logs, is what str() makes of it.
_SHOWN_AS_THEY_ARE = (str, int, float, type(None), dict, list, tuple, set, frozenset)
_PROCESSORS: list[Processor] = []


def configure(options: dict[str, Any]) -> None:
    """Called by Django with settings.LOGGING: level, format (json|console), stream (of sys), instance, release."""

    def who(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("instance", options["instance"])
        event.setdefault("release", options["release"])
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        who,
    ]
    # The same list for good: loggers keep the one that there was when they were first used.
    _PROCESSORS[:] = [
        *shared,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ]
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(_stdlib(options, shared))
    # Where people give commands, a warning stays what Python makes of it.
    logging.captureWarnings(options["stream"] == "stdout")


def mask_capabilities(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Take tokens and upload ids out of what is logged: Django and gunicorn name whole paths.

    An upload is named by the beginning of its id: enough to find it again, not enough to append to it.
    """
    if "upload" in event:
        event["upload"] = str(event["upload"])[:8]
    for name, value in event.items():
        event[name] = masked_within(value) if isinstance(value, _SHOWN_AS_THEY_ARE) else masked(str(value))
    return event


def _stdlib(options: dict[str, Any], shared: list[Processor]) -> dict[str, Any]:
    last: Processor = (
        structlog.dev.ConsoleRenderer()
        if options["format"] == "console"
        else structlog.processors.JSONRenderer()
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    mask_capabilities,
                    last,
                ],
            }
        },
        "handlers": {
            "lines": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "stream": f"ext://sys.{options['stream']}",
            }
        },
        "root": {"handlers": ["lines"], "level": options["level"]},
        "loggers": {
            # Our own request log says it once, with the request id.
            "django.request": {"level": "ERROR"},
            "django.security.csrf": {"level": "ERROR"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # Of tasks too: apps.common.task_log says each once.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
            "health_check": {"level": "ERROR"},
            "psycopg.pool": {"level": "ERROR"},
        },
    }
