"""Owns the use cases of transfers: create, add a file, delete, unlock, authorise a download. Knows no HTTP.

Whoever locks more than one row takes them in this order: transfer, upload, file.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.common.errors import NotFoundError
from apps.common.together import Question, ask_together
from apps.lifecycle import tally
from apps.transfers.caching import transfer_changed
from apps.transfers.choices import (
    PASSWORD_MAX_CHARACTERS,
    checked_emails,
    checked_expiry,
    checked_limit,
    checked_text,
    hashed_password,
)
from apps.transfers.discarding import discard_later
from apps.transfers.errors import (
    DownloadLimitReachedError,
    FileNotReadyError,
    FileRejectedError,
    FileTooLargeError,
    InvalidFileError,
    PasswordWrongError,
    TooManyFilesError,
    TransferClosedError,
    TransferExpiredError,
    TransferTakenDownError,
)
from apps.transfers.following import download_followed
from apps.transfers.mailing import mail_check
from apps.transfers.models import (
    MESSAGE_MAX_CHARACTERS,
    SENDER_NAME_MAX_CHARACTERS,
    TITLE_MAX_CHARACTERS,
    File,
    FileRequest,
    LinkMail,
    Transfer,
    hidden_digest,
    new_token,
    secret_digest,
)
from apps.transfers.rules import (
    FileState,
    LinkState,
    clean_folder,
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
from apps.transfers.sharing import SharedTransfer
from apps.transfers.tickets import BlobTicket, blob_ticket

CONTINUE_SECONDS = 6 * 3600  # so long after a counted download may a broken one go on uncounted


def transfer_create(
    *,
    owner: User | None,
    title: str = "",
    message: str = "",
    expires_days: int | None = None,
    expires_at: datetime | None = None,
    password: str = "",
    download_limit: int | None = None,
    delete_after_download: bool = False,
    notify_on_download: bool = False,
    emails: Sequence[str] = (),
    browser: str = "",
    request: FileRequest | None = None,
    sender_name: str = "",
    hidden: bool = False,
) -> tuple[Transfer, str]:
    """A new transfer and the sender's secret, which is stored nowhere: only its digest is.

    `expires_at` goes before `expires_days`; `emails` get the link once every file is ready; `browser` is what a
    sender without an account is known by later. `hidden`: the secret opens nothing before `transfer_reveal`; what is
    made for an upload that may never be whole. Raises InvalidTransferError, and with `emails` what `mail_check` does.
    """
    secret = new_token()
    addresses = checked_emails(emails)
    if addresses:
        mail_check(user=owner)
    with transaction.atomic():
        transfer = Transfer.objects.create(
            secret_digest=hidden_digest(secret) if hidden else secret_digest(secret),
            owner=owner,
            title=checked_text("title", clean_line(title), TITLE_MAX_CHARACTERS),
            message=checked_text("message", clean_message(message), MESSAGE_MAX_CHARACTERS),
            password=hashed_password(password),
            download_limit=checked_limit(download_limit),
            expires_at=checked_expiry(days=expires_days, at=expires_at),
            delete_after_download=delete_after_download,
            notify_on_download=notify_on_download,
            browser_digest=secret_digest(browser) if browser and owner is None else "",
            request=request,
            sender_name=checked_text("sender_name", clean_line(sender_name), SENDER_NAME_MAX_CHARACTERS),
            language=get_language() or "",
        )
        LinkMail.objects.bulk_create(LinkMail(transfer=transfer, address=address) for address in addresses)
    return transfer, secret


def transfer_reveal(*, transfer: Transfer, secret: str) -> None:
    """Let the sender's secret open a transfer that was made hidden."""
    Transfer.objects.hidden().filter(pk=transfer.pk).update(secret_digest=secret_digest(secret))


def file_add(
    *,
    transfer: Transfer,
    name: str,
    size: int,
    claimed_type: str,
    folder: str = "",
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
        raise InvalidFileError("sha256", _("A SHA-256 checksum has 64 hexadecimal digits."))
    sender_check_alive(transfer=transfer)
    with transaction.atomic():
        file = File.objects.create(
            transfer=transfer,
            name=clean_name(name),
            folder=clean_folder(folder),
            size=size,
            claimed_type=clean_type(claimed_type),
            expected_sha256=expected_sha256.lower(),
        )
        if with_it is not None:
            with_it(file)
        # Last, so that the transfer stays locked for this one message and the commit only. Whoever has the lock sees
        # all files there are: two instances cannot both add the last one.
        ask_together([lock_transfer(transfer.pk), _file_count(transfer.pk), *questions])
        transfer_changed(transfer.token)
    return file


def check_file_size(size: int) -> None:
    """Raises InvalidFileError and FileTooLargeError."""
    if size < 0:
        raise InvalidFileError("size", _("A file cannot have fewer than 0 bytes."))
    if size > settings.MAX_FILE_BYTES:
        raise FileTooLargeError(data={"max_bytes": settings.MAX_FILE_BYTES})


def lock_transfer(transfer_id: uuid.UUID) -> Question:
    """Locks the transfer, if it is there and alive. When asked it raises NotFoundError and what
    `sender_check_alive` raises.
    """

    def check(expires_at: datetime | None, taken_down_at: datetime | None) -> None:
        if expires_at is None:
            raise NotFoundError
        if taken_down_at is not None:
            raise TransferTakenDownError
        _check_alive(expires_at)

    return Transfer.objects.lock_question(transfer_id, check)


def _file_count(transfer_id: uuid.UUID) -> Question:
    def check(files: int) -> None:
        if files > settings.MAX_TRANSFER_FILES:
            raise TooManyFilesError(data={"max_files": settings.MAX_TRANSFER_FILES})

    return Transfer.objects.files_question(transfer_id, check)


def link_check(*, transfer: Transfer | SharedTransfer) -> None:
    """Let recipients pass whose link opens.

    Raises TransferExpiredError, TransferClosedError and TransferTakenDownError.
    """
    if transfer.link_state(timezone.now()) is LinkState.CLOSED:
        raise TransferClosedError
    sender_check_alive(transfer=transfer)


def sender_check_alive(*, transfer: Transfer | SharedTransfer) -> None:
    """Let a sender pass whose transfer can still be sent to, closed or not.

    Raises TransferExpiredError and TransferTakenDownError.
    """
    if transfer.taken_down_at is not None:
        raise TransferTakenDownError
    _check_alive(transfer.expires_at)


def _check_alive(expires_at: datetime) -> None:
    if has_expired(expires_at, timezone.now()):
        raise TransferExpiredError(expires_at)


def file_delete(*, file: File) -> None:
    """Remove one file: its rows now, its bytes right after. Removing it twice is no error."""
    with transaction.atomic():
        files = File.objects.filter(pk=file.pk)
        discard_later(upload_ids=files.lock_uploads(), blob_keys=[*files.blob_keys(), *files.drop_archives()])
        files.delete()
        transfer_changed(file.transfer_id)


def transfer_delete(*, transfer: Transfer) -> None:
    """Remove a transfer with all its files: the link stops working now, the bytes go right after."""
    with transaction.atomic():
        transfers = Transfer.objects.filter(pk=transfer.pk)
        # Locked, so that no file can be added behind the back of the list of bytes to discard.
        list(transfers.select_for_update())
        files = File.objects.filter(transfer_id=transfer.pk)
        upload_ids = [*_lock_partials(transfer), *files.lock_uploads()]
        discard_later(upload_ids=upload_ids, blob_keys=[*files.blob_keys(), *files.drop_archives()])
        transfers.delete()
        transfer_changed(transfer.token)


def _lock_partials(transfer: Transfer) -> list[str]:
    """Uploads of the transfer that no file was made of yet, locked."""
    # The uploads app stands above this one: its rows are reached from the transfer, never imported.
    uploads: Any = transfer.uploads
    waiting = uploads.filter(file=None, final=None).select_for_update(of=("self",)).order_by("pk")
    return [str(upload.pk) for upload in waiting]


def transfer_unlock(*, transfer: Transfer, password: str, address: str) -> str:
    """The grant that a visitor's session keeps after the right password. Raises PasswordWrongError.

    Costs a password hash, on purpose: whoever calls it throttles first.
    """
    if len(password) > PASSWORD_MAX_CHARACTERS or not check_password(password, transfer.password):
        raise PasswordWrongError
    cache.set(_proof_key(transfer, password, address), 1, CONTINUE_SECONDS)
    return transfer.grant


def password_known(*, transfer: Transfer | SharedTransfer, password: str, address: str) -> bool:
    """Whether this password opened the transfer lately from this client address.

    A program that sends it each time pays one hash. Whoever calls it asks the throttle first.
    """
    return bool(cache.get(_proof_key(transfer, password, address)))


def _proof_key(transfer: Transfer | SharedTransfer, password: str, address: str) -> str:
    # The password comes last: it may hold anything, the other two no space.
    told = f"{transfer.grant} {address} {password}"
    proof = salted_hmac("apps.transfers.proof", told, algorithm="sha256")
    return f"transfer-password:{proof.hexdigest()}"


def download_authorise(*, file: File, client: str, starts_over: bool, counts: bool = True) -> BlobTicket:
    """Let `client` (whatever tells visitors apart) have a file's bytes, and count it if it starts over.

    `counts` is False for a look at the headers. Raises what `link_check` raises, FileNotReadyError,
    FileRejectedError and DownloadLimitReachedError. Passwords are checked before.
    """
    _check_downloadable(file)
    with counted_once(
        transfer=file.transfer, key=f"{file.pk}:{client}", starts_over=starts_over, counts=counts
    ) as is_new:
        if is_new:
            downloads_count(transfer=file.transfer, file_ids=[file.pk])
            tally.given(size=file.size)
    return _ticket(file, method="GET" if counts else "HEAD")


@contextmanager
def counted_once(*, transfer: Transfer, key: str, starts_over: bool, counts: bool) -> Iterator[bool]:
    """Whether a request for bytes is a download of its own, to be counted in this block; `key` tells what is downloaded
    and by whom. Raises DownloadLimitReachedError for a look (`counts` is False) at what cannot be downloaded any more.
    """
    memory = f"download:{salted_hmac('apps.transfers.counted', key).hexdigest()}"
    counted = bool(cache.get(memory))
    if not counts and not counted:
        _check_left(transfer)
    is_new = counts and (starts_over or not counted)
    yield is_new
    if is_new:
        # Without this memory (Redis lost) a continuation is counted again: the limit errs on the safe side.
        cache.set(memory, 1, CONTINUE_SECONDS)


def _check_downloadable(file: File) -> None:
    link_check(transfer=file.transfer)
    if file.state == FileState.REJECTED:
        raise FileRejectedError
    if file.state != FileState.READY or not is_blob_key(file.blob_key):
        raise FileNotReadyError(data={"state": file.state}, headers={"Retry-After": "5"})


def _check_left(transfer: Transfer) -> None:
    if downloads_left(transfer.download_limit, transfer.download_count) == 0:
        raise DownloadLimitReachedError


def downloads_count(*, transfer: Transfer, file_ids: Sequence[uuid.UUID]) -> None:
    """Use up one download of the transfer, and count it for each of these files of it: one, or those of an archive.

    Raises DownloadLimitReachedError.
    """
    if not File.objects.count_download(transfer_id=transfer.pk, file_ids=file_ids):
        raise DownloadLimitReachedError
    download_followed(transfer=transfer)
    if transfer.download_limit is not None:
        # The page says how many are left.
        transfer_changed(transfer.token)


def _ticket(file: File, *, method: str) -> BlobTicket:
    return blob_ticket(
        file.blob_key,
        content_type=served_type(file.content_type),
        disposition=disposition(file.name),
        method=method,
    )
