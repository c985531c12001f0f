"""Owns the refusals about transfers and files: their codes, statuses and words. Decides nothing."""

from datetime import datetime

from django.utils import timezone

from apps.common.errors import InvalidInputError, SpillwayError


class InvalidTransferError(InvalidInputError):
    """A choice of the sender's that cannot be used; `field` says which."""

    code = "invalid_transfer"
    message = "These choices cannot be used."

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message, data={"field": field})


class InvalidFileError(InvalidInputError):
    """What was said about a file cannot be true; `field` says which part."""

    code = "invalid_file"
    message = "This file cannot be taken as described."

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message, data={"field": field})


class UnsupportedMediaTypeError(SpillwayError):
    """A body in another format than the one that is read here."""

    code = "unsupported_media_type"
    status = 415
    message = "Send the choices as application/json."
    what_to_do = "Set the Content-Type header and try again."


class BodyTooLargeError(SpillwayError):
    """More text than any choice of a sender needs."""

    code = "body_too_large"
    status = 413
    message = "This is more text than we take."
    what_to_do = "Send files as files, and keep the message short."


class FileTooLargeError(SpillwayError):
    """A file over MAX_FILE_BYTES; `max_bytes` says how much is taken."""

    code = "file_too_large"
    status = 413
    message = "This file is larger than this site takes."
    what_to_do = "Split it into smaller files, or ask whoever runs this site."


class TooManyFilesError(SpillwayError):
    """The transfer is full; `max_files` says how many it holds."""

    code = "too_many_files"
    status = 409
    message = "This transfer has as many files as it may have."
    what_to_do = "Make another transfer for the rest, or pack them into an archive."


class TransferExpiredError(SpillwayError):
    """The link worked once and does not any more."""

    code = "transfer_expired"
    status = 410
    title = "This link has expired"
    message = "This link expired."
    what_to_do = "Its files are no longer kept here."

    def __init__(self, expires_at: datetime) -> None:
        super().__init__(
            f"This link expired on {_day(expires_at)}. Ask the sender for a new one.",
            data={"expires_at": expires_at.isoformat()},
        )
        self.expires_at = expires_at


def _day(moment: datetime) -> str:
    """A date like 12 March, with the year when it is not this one."""
    day = f"{moment.day} {moment:%B}"
    return day if moment.year == timezone.now().year else f"{day} {moment.year}"


class DownloadLimitReachedError(SpillwayError):
    """Every download that the sender allowed was made."""

    code = "download_limit_reached"
    status = 403
    title = "This link has been used up"
    message = "All downloads that the sender allowed were made."
    what_to_do = "Ask the sender for a new link."


class PasswordRequiredError(SpillwayError):
    """The transfer has a password and this visitor has not given it."""

    code = "password_required"
    status = 403
    title = "This transfer has a password"
    message = "This transfer has a password."
    what_to_do = "Open the link and enter it, or send it in the Transfer-Password header."


class PasswordWrongError(SpillwayError):
    """Not this transfer's password."""

    code = "password_wrong"
    status = 403
    title = "This transfer has a password"
    message = "This is not the password."
    what_to_do = "Ask the sender for it."


class FileNotReadyError(SpillwayError):
    """The file is still arriving or being checked; `state` says which."""

    code = "file_not_ready"
    status = 409
    title = "Not ready yet"
    message = "This file is still on its way."
    what_to_do = "Open the link again in a moment; it shows when the file is ready."


class FileRejectedError(SpillwayError):
    """The file arrived and was refused."""

    code = "file_rejected"
    status = 410
    title = "This file was refused"
    message = "This file was refused after it arrived."
    what_to_do = "Ask the sender for another one."


class MethodNotAllowedError(SpillwayError):
    """A download is read, never written."""

    code = "method_not_allowed"
    status = 405
    title = "That does not work here"
    message = "Files can only be downloaded here."
    what_to_do = "Open the link in a browser."
