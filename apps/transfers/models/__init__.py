"""Owns the tables of transfers: the transfer, its files, what belongs to sharing one, and what is left to remove."""

from apps.transfers.models.discard import Discard
from apps.transfers.models.file import TROUBLE_MAX_CHARACTERS, File, FileQuerySet
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
    "TROUBLE_MAX_CHARACTERS",
    "Discard",
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
