"""Owns the refusals about transfers and files: their codes, statuses and words. Decides nothing."""

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.common.errors import InvalidFieldError, SpillwayError


class InvalidTransferError(InvalidFieldError):
    """A choice of the sender's that cannot be used."""

    code = "invalid_transfer"
    message = _("These choices cannot be used.")


class InvalidFileError(InvalidFieldError):
    """What was said about a file cannot be true."""

    code = "invalid_file"
    message = _("This file cannot be taken as described.")


class UnsupportedMediaTypeError(SpillwayError):
    """A body in another format than the one that is read here."""

    code = "unsupported_media_type"
    status = 415
    message = _("Send the choices as application/json.")
    what_to_do = _("Set the Content-Type header and try again.")


class BodyTooLargeError(SpillwayError):
    """More text than any choice of a sender needs."""

    code = "body_too_large"
    status = 413
    message = _("This is more text than we take.")
    what_to_do = _("Send files as files, and keep the message short.")


class FileTooLargeError(SpillwayError):
    """A file over MAX_FILE_BYTES; `max_bytes` says how much is taken."""

    code = "file_too_large"
    status = 413
    message = _("This file is larger than this site takes.")
    what_to_do = _("Split it into smaller files, or ask whoever runs this site.")


class TooManyFilesError(SpillwayError):
    """The transfer is full; `max_files` says how many it holds."""

    code = "too_many_files"
    status = 409
    message = _("This transfer has as many files as it may have.")
    what_to_do = _("Make another transfer for the rest, or pack them into an archive.")


class TransferExpiredError(SpillwayError):
    """The link worked once and does not any more."""

    code = "transfer_expired"
    status = 410
    title = _("This link has expired")
    message = _("This link expired.")
    what_to_do = _("Its files are no longer kept here.")

    def __init__(self, expires_at: datetime) -> None:
        super().__init__(
            format_lazy(
                _("This link expired on {day}. Ask the sender for a new one."), day=_lazy_day(expires_at)
            ),
            data={"expires_at": expires_at.isoformat()},
        )
        self.expires_at = expires_at


def _day(moment: datetime) -> str:
    """A date like 12 March in the reader's language, with the year when it is not this one."""
    # Translators: a day of this year, in Django's letters for dates: 12 March.
    short, whole = gettext("j F"), gettext("j F Y")
    return date_format(moment, short if moment.year == timezone.now().year else whole)


_lazy_day = lazy(_day, str)


class TransferClosedError(SpillwayError):
    """The sender closed the link."""

    code = "transfer_closed"
    status = 410
    title = _("The sender closed this link")
    message = _("The sender has closed this link.")
    what_to_do = _("Ask the sender if you still need the files.")


class TransferTakenDownError(SpillwayError):
    """Staff closed the link."""

    code = "transfer_taken_down"
    status = 410
    title = _("This transfer was taken down")
    message = _("Whoever runs this site has taken this transfer down.")
    what_to_do = _("Ask the sender, or whoever runs this site.")


class DownloadLimitReachedError(SpillwayError):
    """Every download that the sender allowed was made."""

    code = "download_limit_reached"
    status = 403
    title = _("This link has been used up")
    message = _("All downloads that the sender allowed were made.")
    what_to_do = _("Ask the sender for a new link.")


class PasswordRequiredError(SpillwayError):
    """The transfer has a password and this visitor has not given it."""

    code = "password_required"
    status = 403
    title = _("This transfer has a password")
    message = _("This transfer has a password.")
    what_to_do = _("Open the link and enter it, or send it in the Transfer-Password header.")


class PasswordWrongError(SpillwayError):
    """Not this transfer's password."""

    code = "password_wrong"
    status = 403
    title = _("This transfer has a password")
    message = _("This is not the password.")
    what_to_do = _("Ask the sender for it.")


class FileNotReadyError(SpillwayError):
    """The file is still arriving or being checked; `state` says which."""

    code = "file_not_ready"
    status = 409
    title = _("Not ready yet")
    message = _("This file is still on its way.")
    what_to_do = _("Open the link again in a moment; it shows when the file is ready.")


class FileRejectedError(SpillwayError):
    """The file arrived and was refused."""

    code = "file_rejected"
    status = 410
    title = _("This file was refused")
    message = _("This file was refused after it arrived.")
    what_to_do = _("Ask the sender for another one.")


class MethodNotAllowedError(SpillwayError):
    """A download is read, never written."""

    code = "method_not_allowed"
    status = 405
    title = _("That does not work here")
    message = _("Files can only be downloaded here.")
    what_to_do = _("Open the link in a browser.")


class ClaimTooLargeError(SpillwayError):
    """What a browser sent does not fit into the account that claims it; `max_bytes` says what does."""

    code = "claim_too_large"
    status = 409
    title = _("Too much for your account")
    message = _("These transfers together are more than your account may have here.")
    what_to_do = _("They stay this browser's. Remove some of yours, or of these, and try again.")


class RequestEndedError(SpillwayError):
    """A link that asked for files and does not any more."""

    code = "request_ended"
    status = 410
    title = _("This request has ended")
    message = _("Nobody takes files through this link any more.")
    what_to_do = _("Ask whoever gave it to you for a new one. What you sent before has arrived.")
