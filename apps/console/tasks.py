"""Owns the names under which the broker knows the console's work. Each task is one service call."""

from celery import shared_task

from apps.console.jobs import gave_up_find
from apps.console.stocktaking import stock_take


@shared_task(name="console.find_failed")
def find_failed() -> None:
    """Note rows that were given up."""
    gave_up_find()


@shared_task(name="console.take_stock")
def take_stock() -> None:
    """Add up what the store holds, so that no page has to."""
    stock_take()
