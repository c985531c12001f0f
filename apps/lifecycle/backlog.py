"""Owns the look at what waits for a worker, noted on the scoreboard. What that is an app above says (settings.BACKLOG).

By the thread that checks the database, over its own connection; by one worker of each instance, and not often.
"""

import time

import structlog
from django.conf import settings
from django.utils.module_loading import import_string

from apps.lifecycle import scoreboard

logger = structlog.get_logger(__name__)
PERIOD_SECONDS = 5.0


class BacklogLook:
    """One worker's look at the backlog."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._next = 0.0

    def look(self) -> None:
        """Note how much waits, and since when. Neither raises nor hangs: its thread has a deadline."""
        board, slot = scoreboard.current(), scoreboard.own_slot()
        if board is None or slot is None or not board.speaks(slot) or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PERIOD_SECONDS
        try:
            count, oldest_seconds = import_string(settings.BACKLOG)(self._alias)
            slot.oldest_waiting_seconds, slot.files_waiting = oldest_seconds, count
        except Exception as error:
            # What was seen last stays. That there is no database, its check says; slowness alone is no failure.
            logger.warning("backlog_unread", detail=type(error).__name__)
