"""Owns how an instance hears that an operator wants it to drain. It then tells its master, as `docker stop` would.

Looked up by the thread that checks the database, over that thread's own connection; never in a request.
"""

import os
import signal

import structlog
from django.conf import settings
from django.utils import timezone

from apps.lifecycle import scoreboard
from apps.lifecycle.models import DrainOrder
from apps.lifecycle.scoreboard import Scoreboard
from apps.lifecycle.vocabulary import DrainPhase

logger = structlog.get_logger(__name__)


class OrderLook:
    """One worker's look at the orders for its instance."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._closed_older = False

    def look(self) -> None:
        """Begin to drain if that was ordered. Neither raises nor hangs: its thread has a deadline."""
        board = scoreboard.current()
        if board is None or not board.speaks(scoreboard.own_slot()):
            return
        try:
            self._look(board)
        except Exception as error:
            # The check of the database says what is wrong; the order stands until it was read.
            logger.warning("drain_order_unread", detail=type(error).__name__)

    def _look(self, board: Scoreboard) -> None:
        orders = DrainOrder.objects.using(self._alias)
        if not self._closed_older:
            orders.close_older(settings.INSTANCE, board.boot)
            self._closed_older = True
        if board.phase is not DrainPhase.SERVING:
            return
        for order in orders.waiting(settings.INSTANCE, board.boot):
            # Told first, noted after: one that dies in between is told again, which changes nothing.
            _tell_master(board)
            logger.info("drain_ordered", by=order.by, order=order.pk)
            orders.filter(pk=order.pk).update(seen_at=timezone.now())


def _tell_master(board: Scoreboard) -> None:
    # A worker whose master has died has been given to somebody else, who must not be told.
    if os.getppid() == board.master_pid:
        os.kill(board.master_pid, signal.SIGTERM)
