"""Owns the shape of gunicorn's own log lines: the site's JSON fields, from before Django is there."""

import json
import logging
import os
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


def gunicorn_logging(level: str) -> dict[str, Any]:
    """gunicorn's `logconfig_dict`: JSON on stderr, no access log (the site logs its own requests)."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": [], "level": level},
        "loggers": {
            "gunicorn.error": {"handlers": ["stderr"], "level": level, "propagate": False},
            "gunicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
        },
    }
