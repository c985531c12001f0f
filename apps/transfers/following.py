"""Owns what follows from a counted download: the owner is told of the first, the link ends after the last that was
wanted. Runs right behind the counting, and only for transfers whose sender chose one of these.
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from apps.common.enqueue import enqueue
from apps.transfers.caching import transfer_changed
from apps.transfers.models import File, LinkMail, Transfer
from apps.transfers.rules import FileState, MailKind

# A link whose every file was downloaded stays for so long: a download that broke may go on, and somebody who has just
# begun with the last file can finish. CONTINUE_SECONDS (6 h) is how long a continuation is not counted; here an hour is
# enough, for a download that is running when its link ends is not cut off.
AFTER_DOWNLOAD_SECONDS = 3600


def download_followed(*, transfer: Transfer) -> None:
    """Call this after a download of `transfer` was counted and committed.

    Of two downloads that are counted at the same moment at least the one that comes here last sees both, and the
    conditional UPDATEs let one of them act.
    """
    if transfer.notify_on_download and transfer.notified_at is None:
        _notify(transfer)
    if transfer.delete_after_download:
        _end(transfer)


def _notify(transfer: Transfer) -> None:
    """The mail is a row in the same transaction as the mark: a lost broker or worker loses neither."""
    waiting = Transfer.objects.filter(pk=transfer.pk, notify_on_download=True, notified_at=None)
    with transaction.atomic():
        if not waiting.update(notified_at=timezone.now()):
            return
        if transfer.owner is not None and transfer.owner.email:
            LinkMail.objects.bulk_create(
                [LinkMail(transfer=transfer, address=transfer.owner.email, kind=MailKind.DOWNLOADED)],
                ignore_conflicts=True,
            )
            enqueue("transfers.send_mails", str(transfer.pk))


def _end(transfer: Transfer) -> None:
    """Bring the expiry near once no file waits for its first download. It is never put off."""
    files = File.objects.filter(transfer=OuterRef("pk")).exclude(state=FileState.REJECTED)
    until = timezone.now() + timedelta(seconds=AFTER_DOWNLOAD_SECONDS)
    done = Transfer.objects.filter(
        ~Exists(files.filter(download_count=0)),
        pk=transfer.pk,
        delete_after_download=True,
        expires_at__gt=until,
    )
    if done.update(expires_at=until):
        transfer_changed(transfer.token)
