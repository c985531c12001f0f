"""Owns the use cases of transfers: create, add a file, delete, unlock, authorise a download. Knows no HTTP.

Whoever locks more than one row takes them in this order: transfer, upload, file.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.module_loading import import_string

from apps.accounts.models import User
from apps.common.enqueue import enqueue
from apps.common.errors import NotFoundError
from apps.common.together import Question, ask_together
from apps.transfers.errors import (
    DownloadLimitReachedError,
    FileNotReadyError,
    FileRejectedError,
    FileTooLargeError,
    InvalidFileError,
    InvalidTransferError,
    PasswordWrongError,
    TooManyFilesError,
    TransferExpiredError,
)
from apps.transfers.models import (
    MESSAGE_MAX_CHARACTERS,
    TITLE_MAX_CHARACTERS,
    File,
    Transfer,
    hidden_digest,
    new_token,
    secret_digest,
)
from apps.transfers.rules import (
    FileState,
    blob_signature,
    chosen_days,
    clean_line,
    clean_message,
    clean_name,
    clean_type,
    disposition,
    downloads_left,
    has_expired,
    is_blob_key,
    is_sha256,
    served_type,
)

PASSWORD_MAX_CHARACTERS = 200
DOWNLOAD_LIMIT_MAX = 1_000_000
SIGNATURE_SECONDS = 60  # the file server looks once, when the request begins
# So does an object store, by its own clock. A browser that resumes may go back to this address rather than ask us.
URL_SECONDS = 300
CONTINUE_SECONDS = 6 * 3600  # so long after a counted download may a broken one go on uncounted


@dataclass(frozen=True)
class BlobTicket:
    """What the file server needs to stream one blob once: every field is safe as a header value.

    `url`: where the visitor gets it instead, from an object store.
    """

    key: str
    content_type: str
    disposition: str
    expires: int
    signature: str
    url: str | None = None


def transfer_create(
    *,
    owner: User | None,
    title: str = "",
    message: str = "",
    expires_days: int | None = None,
    password: str = "",
    download_limit: int | None = None,
    hidden: bool = False,
) -> tuple[Transfer, str]:
    """A new transfer and the sender's secret, which is stored nowhere: only its digest is.

    `hidden`: the secret opens nothing before `transfer_reveal`; what is made for an upload that may never be whole.
    Raises InvalidTransferError.
    """
    secret = new_token()
    transfer = Transfer.objects.create(
        secret_digest=hidden_digest(secret) if hidden else secret_digest(secret),
        owner=owner,
        title=_checked("title", clean_line(title), TITLE_MAX_CHARACTERS),
        message=_checked("message", clean_message(message), MESSAGE_MAX_CHARACTERS),
        password=_hashed(password),
        download_limit=_checked_limit(download_limit),
        expires_at=timezone.now() + timedelta(days=_checked_days(expires_days)),
    )
    return transfer, secret


def transfer_reveal(*, transfer: Transfer, secret: str) -> None:
    """Let the sender's secret open a transfer that was made hidden."""
    Transfer.objects.hidden().filter(pk=transfer.pk).update(secret_digest=secret_digest(secret))


def _checked(field: str, text: str, most: int) -> str:
    if len(text) > most:
        raise InvalidTransferError(field, f"The {field} may have at most {most} characters.")
    return text


def _hashed(password: str) -> str:
    _checked("password", password, PASSWORD_MAX_CHARACTERS)
    try:
        return make_password(password) if password else ""
    except UnicodeEncodeError:
        raise InvalidTransferError("password", "The password has characters that cannot be typed.") from None


def _checked_limit(limit: int | None) -> int | None:
    if limit is not None and not 1 <= limit <= DOWNLOAD_LIMIT_MAX:
        raise InvalidTransferError(
            "download_limit", f"The download limit must be between 1 and {DOWNLOAD_LIMIT_MAX}."
        )
    return limit


def _checked_days(days: int | None) -> int:
    most = settings.TRANSFER_EXPIRES_DAYS_MAX
    if days is not None and not 1 <= days <= most:
        raise InvalidTransferError("expires_days", f"A link lives at least 1 day and at most {most}.")
    return chosen_days(days, default=settings.TRANSFER_EXPIRES_DAYS, maximum=most)


def file_add(
    *,
    transfer: Transfer,
    name: str,
    size: int,
    claimed_type: str,
    expected_sha256: str = "",
    with_it: Callable[[File], None] | None = None,
    questions: Sequence[Question] = (),
) -> File:
    """A new file of a transfer, `uploading`. `size` is in bytes; the name is cleaned, never refused.

    `with_it` writes what belongs to the file, in the same transaction; `questions` are asked behind its lock.

    Raises InvalidFileError, FileTooLargeError, TooManyFilesError, TransferExpiredError, and NotFoundError
    when the transfer was removed meanwhile.
    """
    check_file_size(size)
    if expected_sha256 and not is_sha256(expected_sha256):
        raise InvalidFileError("sha256", "A SHA-256 checksum has 64 hexadecimal digits.")
    _check_alive(transfer.expires_at)
    with transaction.atomic():
        file = File.objects.create(
            transfer=transfer,
            name=clean_name(name),
            size=size,
            claimed_type=clean_type(claimed_type),
            expected_sha256=expected_sha256.lower(),
        )
        if with_it is not None:
            with_it(file)
        # Last, so that the transfer stays locked for this one message and the commit only. Whoever has the lock sees
        # all files there are: two instances cannot both add the last one.
        ask_together([lock_transfer(transfer.pk), _file_count(transfer.pk), *questions])
    return file


def check_file_size(size: int) -> None:
    """Raises InvalidFileError and FileTooLargeError."""
    if size < 0:
        raise InvalidFileError("size", "A file cannot have fewer than 0 bytes.")
    if size > settings.MAX_FILE_BYTES:
        raise FileTooLargeError(data={"max_bytes": settings.MAX_FILE_BYTES})


def lock_transfer(transfer_id: uuid.UUID) -> Question:
    """Locks the transfer, if it is there and alive. Raises NotFoundError and TransferExpiredError when asked."""

    def check(expires_at: datetime | None) -> None:
        if expires_at is None:
            raise NotFoundError
        _check_alive(expires_at)

    return Transfer.objects.lock_question(transfer_id, check)


def _file_count(transfer_id: uuid.UUID) -> Question:
    def check(files: int) -> None:
        if files > settings.MAX_TRANSFER_FILES:
            raise TooManyFilesError(data={"max_files": settings.MAX_TRANSFER_FILES})

    return Transfer.objects.files_question(transfer_id, check)


def _check_alive(expires_at: datetime) -> None:
    if has_expired(expires_at, timezone.now()):
        raise TransferExpiredError(expires_at)


def file_delete(*, file: File) -> None:
    """Remove one file: its rows now, its bytes right after. Removing it twice is no error."""
    with transaction.atomic():
        files = File.objects.filter(pk=file.pk)
        _discard(files.lock_uploads(), files.blob_keys())
        files.delete()


def transfer_delete(*, transfer: Transfer) -> None:
    """Remove a transfer with all its files: the link stops working now, the bytes go right after."""
    with transaction.atomic():
        transfers = Transfer.objects.filter(pk=transfer.pk)
        # Locked, so that no file can be added behind the back of the list of bytes to discard.
        list(transfers.select_for_update())
        files = File.objects.filter(transfer_id=transfer.pk)
        _discard([*_lock_partials(transfer), *files.lock_uploads()], files.blob_keys())
        transfers.delete()


def _lock_partials(transfer: Transfer) -> list[str]:
    """Uploads of the transfer that no file was made of yet, locked."""
    # The uploads app stands above this one: its rows are reached from the transfer, never imported.
    uploads: Any = transfer.uploads
    waiting = uploads.filter(file=None, final=None).select_for_update(of=("self",)).order_by("pk")
    return [str(upload.pk) for upload in waiting]


def _discard(upload_ids: list[str], blob_keys: list[str]) -> None:
    if upload_ids or blob_keys:
        enqueue("processing.discard", {"blob_keys": blob_keys, "upload_ids": upload_ids})


def transfer_unlock(*, transfer: Transfer, password: str, address: str) -> str:
    """The grant that a visitor's session keeps after the right password. Raises PasswordWrongError.

    Costs a password hash, on purpose: whoever calls it throttles first.
    """
    if len(password) > PASSWORD_MAX_CHARACTERS or not check_password(password, transfer.password):
        raise PasswordWrongError
    cache.set(_proof_key(transfer, password, address), 1, CONTINUE_SECONDS)
    return transfer.grant


def password_known(*, transfer: Transfer, password: str, address: str) -> bool:
    """Whether this password opened the transfer lately from this client address.

    A program that sends it each time pays one hash. Whoever calls it asks the throttle first.
    """
    return bool(cache.get(_proof_key(transfer, password, address)))


def _proof_key(transfer: Transfer, password: str, address: str) -> str:
    # The password comes last: it may hold anything, the other two no space.
    told = f"{transfer.grant} {address} {password}"
    proof = salted_hmac("apps.transfers.proof", told, algorithm="sha256")
    return f"transfer-password:{proof.hexdigest()}"


def download_authorise(*, file: File, client: str, starts_over: bool, counts: bool = True) -> BlobTicket:
    """Let `client` (whatever tells visitors apart) have a file's bytes, and count it if it starts over.

    `counts` is False for a look at the headers. Raises TransferExpiredError, FileNotReadyError,
    FileRejectedError and DownloadLimitReachedError. Passwords are checked before.
    """
    _check_downloadable(file)
    counted = bool(cache.get(_counted_key(file, client)))
    if not counts:
        if not counted:
            _check_left(file.transfer)
    elif starts_over or not counted:
        _count(file)
        # Without this memory (Redis lost) a continuation is counted again: the limit errs on the safe side.
        cache.set(_counted_key(file, client), 1, CONTINUE_SECONDS)
    return _ticket(file, method="GET" if counts else "HEAD")


def _check_downloadable(file: File) -> None:
    _check_alive(file.transfer.expires_at)
    if file.state == FileState.REJECTED:
        raise FileRejectedError
    if file.state != FileState.READY or not is_blob_key(file.blob_key):
        raise FileNotReadyError(data={"state": file.state}, headers={"Retry-After": "5"})


def _check_left(transfer: Transfer) -> None:
    if downloads_left(transfer.download_limit, transfer.download_count) == 0:
        raise DownloadLimitReachedError


def _count(file: File) -> None:
    if not File.objects.count_download(transfer_id=file.transfer_id, file_id=file.pk):
        raise DownloadLimitReachedError


def _counted_key(file: File, client: str) -> str:
    return f"download:{salted_hmac('apps.transfers.counted', f'{file.pk}:{client}').hexdigest()}"


def _ticket(file: File, *, method: str) -> BlobTicket:
    expires = int(time.time()) + SIGNATURE_SECONDS
    content_type, attachment = served_type(file.content_type), disposition(file.name)
    signature = blob_signature(
        expires=expires,
        key=file.blob_key,
        content_type=content_type,
        disposition=attachment,
        secret=settings.DOWNLOAD_KEY,
    )
    url = import_string(settings.BLOB_STORE)().download_url(
        file.blob_key,
        method=method,
        content_type=content_type,
        disposition=attachment,
        seconds=URL_SECONDS,
    )
    return BlobTicket(file.blob_key, content_type, attachment, expires, signature, url)
