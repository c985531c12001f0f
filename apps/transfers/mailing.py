"""Owns how mails about transfers go out: who may have them sent, which are due, sending, trying again. Knows no HTTP.

The rows of LinkMail are the queue of record: a claim says which worker sends one, and a sweep finds those whose claim
has run out. A worker that dies between sending and marking leaves a mail that is sent once more: at least once, and
under the same Message-ID, so that most mailboxes show it once.
"""

import smtplib
import uuid
from email.errors import MessageError

import structlog
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.mail import BadHeaderError
from django.utils import timezone

from apps.common.enqueue import enqueue
from apps.common.errors import ForbiddenError, SignInRequiredError
from apps.transfers.letters import letter
from apps.transfers.models import LinkMail
from apps.transfers.rules import MailPolicy, MailState, may_mail

logger = structlog.get_logger(__name__)

CLAIM_SECONDS = (
    120.0  # longer than a conversation with a slow mail server takes (EMAIL_TIMEOUT for each step)
)
PAUSES_SECONDS = (
    30,
    120,
    600,
    1800,
    7200,
    14_400,
)  # before each further try; after the last the mail has failed
_BATCH = 100


def mail_check(*, user: AbstractBaseUser | AnonymousUser | None) -> None:
    """Let those pass in whose name links may be mailed under settings.MAIL_POLICY; None is a visitor.

    Raises SignInRequiredError for a visitor whom signing in would help, else ForbiddenError.
    """
    policy = MailPolicy(settings.MAIL_POLICY)
    if may_mail(policy, signed_in=user is not None and user.is_authenticated and user.is_active):
        return
    if policy is MailPolicy.NOBODY:
        raise ForbiddenError("This site mails no links. Copy yours and send it yourself.")
    raise SignInRequiredError("Only people who are signed in may have links mailed.")


def mails_send(*, transfer_id: uuid.UUID) -> int:
    """Send what is due of one transfer; returns how many mails went out. Those that others send are left to them."""
    due = LinkMail.objects.due(timezone.now()).filter(transfer=transfer_id)
    return sum(mail_send(mail_id=mail_id) for mail_id in due.values_list("pk", flat=True)[:_BATCH])


def mail_send(*, mail_id: int) -> bool:
    """Send one mail, unless another worker has it; whether it went out."""
    token = uuid.uuid4()
    if not LinkMail.objects.claim(mail_id, token, CLAIM_SECONDS):
        return False
    mail = LinkMail.objects.select_related("transfer__owner", "transfer__request__owner").get(pk=mail_id)
    try:
        is_sent = letter(mail).send() > 0
    except (OSError, MessageError, BadHeaderError, UnicodeError) as error:
        _note_failure(mail, token, error)
        return False
    if not is_sent:  # EMAIL_URL is not set
        LinkMail.objects.finish(mail_id, token, MailState.FAILED, reason="This site sends no mail.")
        return False
    LinkMail.objects.finish(mail_id, token, MailState.SENT, sent_at=timezone.now())
    logger.info("mail_sent", mail=mail_id, kind=mail.kind, attempts=mail.attempts)
    return True


def _note_failure(mail: LinkMail, token: uuid.UUID, error: Exception) -> None:
    """Refuse for good what the mail server will never take; let the sweep try the rest again after a pause."""
    reason = reason_for_good(error)
    if reason is None and mail.attempts <= len(PAUSES_SECONDS):
        LinkMail.objects.put_back(mail.pk, token, PAUSES_SECONDS[mail.attempts - 1])
    else:
        reason = reason or "The mail server could not be reached, however often we tried."
        LinkMail.objects.finish(mail.pk, token, MailState.FAILED, reason=reason)
    # The error's own words hold addresses.
    logger.warning("mail_failed", mail=mail.pk, detail=type(error).__name__, attempts=mail.attempts)


def reason_for_good(error: Exception) -> str | None:
    """Why trying again would not help, in words for the sender; None when it may."""
    if isinstance(error, MessageError | BadHeaderError | UnicodeError):
        return "This address or text cannot stand in a mail."
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        return "The mail server refused this address." if all(code >= 500 for code in codes) else None
    # Refused at the door (who we are, our password) is ours to mend: the mail waits meanwhile.
    if isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500:
        return "The mail server refused this mail."
    return None


def mails_sweep(*, most: int = 200) -> int:
    """Ring the doorbell for transfers whose mails are due, and give up links that have ended; returns how many rang."""
    now = timezone.now()
    hopeless = LinkMail.objects.hopeless(now)
    hopeless.update(state=MailState.FAILED, reason="The link ended before every file had arrived.")
    due = LinkMail.objects.due(now).order_by().values_list("transfer", flat=True).distinct()[:most]
    for transfer_id in due:
        enqueue("transfers.send_mails", str(transfer_id))
    return len(due)
