"""Owns the names under which the broker knows the work about people. Each task is one service call."""

from celery import shared_task

from apps.accounts import services


@shared_task(name="accounts.clear_sessions")
def clear_sessions() -> None:
    """Remove the rows of sessions that ended by themselves; nothing else does."""
    services.sessions_clear()
