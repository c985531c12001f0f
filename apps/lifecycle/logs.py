"""Owns the shape of gunicorn's own log lines: the site's JSON fields, from before Django is there."""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

from apps.common.masking import masked


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, event, instance, release."""

    def format(self, record: logging.LogRecord) -> str:
        """Shape one record."""
        line = {
            "event": masked(record.getMessage()),
            "level": record.levelname.lower(),
            "logger": record.name,
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "instance": os.environ.get("INSTANCE", "local"),
            "release": os.environ.get("RELEASE", "dev"),
        }
        if record.exc_info:
            line["exception"] = masked(self.formatException(record.exc_info))
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """A line for people on a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s [%(levelname)s] %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Shape one record, with its trace."""
        return masked(super().format(record))


def format_for(wanted: str, stream: str) -> str:
    """`json` or `console` for a LOG_FORMAT: `auto` is for people where a terminal shows what goes to that stream."""
    if wanted != "auto":
        return wanted
    return "console" if getattr(sys, stream).isatty() else "json"


def gunicorn_logging(level: str) -> dict[str, Any]:
    """gunicorn's `logconfig_dict`: on stdout, no access log (the site logs its own requests)."""
    pretty = format_for(os.environ.get("LOG_FORMAT") or "auto", "stdout") == "console"
    line = {"()": TextFormatter if pretty else JsonFormatter}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": line},
        "handlers": {
            "lines": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stdout"}
        },
        "root": {"handlers": [], "level": level},
        "loggers": {
            "gunicorn.error": {"handlers": ["lines"], "level": level, "propagate": False},
            "gunicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
        },
    }
