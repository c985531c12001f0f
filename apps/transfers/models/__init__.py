"""Owns the tables of transfers: the transfer, its files, and what belongs to sharing one."""

from apps.transfers.models.file import File, FileQuerySet
from apps.transfers.models.sharing import DownloadDay, FileRequest, LinkMail
from apps.transfers.models.transfer import (
    MESSAGE_MAX_CHARACTERS,
    SENDER_NAME_MAX_CHARACTERS,
    TITLE_MAX_CHARACTERS,
    TOKEN_BYTES,
    Transfer,
    TransferQuerySet,
    hidden_digest,
    new_token,
    secret_digest,
)

__all__ = [
    "MESSAGE_MAX_CHARACTERS",
    "SENDER_NAME_MAX_CHARACTERS",
    "TITLE_MAX_CHARACTERS",
    "TOKEN_BYTES",
    "DownloadDay",
    "File",
    "FileQuerySet",
    "FileRequest",
    "LinkMail",
    "Transfer",
    "TransferQuerySet",
    "hidden_digest",
    "new_token",
    "secret_digest",
]
