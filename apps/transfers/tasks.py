"""Owns the names under which the broker knows the work about transfers. Each task is one service call."""

import uuid

from celery import shared_task

from apps.transfers import mailing


@shared_task(name="transfers.send_mails")
def send_mails(transfer_id: str) -> None:
    """Send the mails about one transfer that are due."""
    mailing.mails_send(transfer_id=uuid.UUID(transfer_id))


@shared_task(name="transfers.sweep_mails")
def sweep_mails() -> None:
    """Find mails that are due and that nobody sends."""
    mailing.mails_sweep()
