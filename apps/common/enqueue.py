"""Owns how work is handed to Celery: by name, after commit, and never at the cost of the request."""

from functools import partial
from typing import Any

import structlog
from celery import Celery
from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string
from kombu.exceptions import OperationalError

from apps.common.metrics import ENQUEUE_FAILURES

logger = structlog.get_logger(__name__)


def enqueue(name: str, *args: Any) -> None:
    """Ring the doorbell for task `name` once the current transaction has committed.

    A broker that cannot be reached is logged and forgotten: the rows are the queue of record and a sweep finds
    them. Arguments must be JSON values.
    """
    transaction.on_commit(partial(_send, name, args))


def _send(name: str, args: tuple[Any, ...]) -> None:
    app: Celery = import_string(settings.CELERY_APP)
    try:
        app.send_task(name, args=args, retry=False)
    except (OperationalError, OSError) as error:
        ENQUEUE_FAILURES.inc()
        logger.warning("enqueue_failed", task=name, detail=type(error).__name__)
