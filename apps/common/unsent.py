"""Owns what becomes of mail where no mail server is set: nothing. It is only said that there was some: a letter holds
what opens an account or a link, and neither that nor whom it was for belongs in a log.
"""

from collections.abc import Sequence

import structlog
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

logger = structlog.get_logger(__name__)


class UnsentBackend(BaseEmailBackend):
    """Django's e-mail backend without EMAIL_URL."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """None of them goes out. That this is no failure is the operator's choice, so it is a warning."""
        logger.warning("mail_not_sent", count=len(email_messages), hint="EMAIL_URL is not set")
        return 0
