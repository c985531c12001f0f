"""Owns the look at how many messages wait for a Celery worker. A look that fails costs nobody anything."""

import structlog
from celery import Celery
from django.conf import settings
from django.utils.module_loading import import_string
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from apps.common.redis_clients import redis_client
from apps.lifecycle import scoreboard

logger = structlog.get_logger(__name__)
# The lane that looks has the check of Redis to do every other second.
_TIMEOUT_SECONDS = 0.5


class QueueLook:
    """Notes the queue's length on the scoreboard, over one connection that it keeps."""

    def __init__(self) -> None:
        self._client: Redis | None = None
        self._queue = ""

    def note(self) -> None:
        """Look once. What was seen last stays when it cannot be seen."""
        slot = scoreboard.own_slot()
        if slot is None:
            return
        try:
            slot.queue_depth = self._length()
        except (RedisError, OSError):
            # The check of Redis says so; a line for each look would bury it.
            return
        except Exception:
            logger.exception("queue_look_broke")

    def _length(self) -> int:
        if self._client is None:
            self._queue = _queue_name()
            self._client = _client()
        return int(self._client.llen(self._queue))


def _queue_name() -> str:
    app: Celery = import_string(settings.CELERY_APP)
    return str(app.conf.task_default_queue)


def _client() -> Redis:
    """Without retries: the next look is the retry."""
    return redis_client(
        settings.BROKER_URL,
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
