"""Owns what a link's page shows of a transfer, as plain values read from the database in two statements. No request.

The processing app stands above this one: what workers made of a file is reached from the file, never imported.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.transfers.models import File, Transfer
from apps.transfers.rules import (
    FileState,
    LinkState,
    TransferState,
    downloads_left,
    is_playable,
    link_state,
    transfer_state,
)


@dataclass(frozen=True)
class SharedFile:
    """One file as its recipients see it. `thumbnail` is a preview's id, `preview` what there is to look at."""

    id: str
    name: str
    folder: str
    size: int
    type: str
    sha256: str
    state: str
    reason: str
    url: str
    thumbnail: str = ""
    preview: str = ""  # picture | page | text | listing | video | audio; empty: nothing
    page_url: str = ""


@dataclass(frozen=True)
class SharedTransfer:
    """One transfer as its recipients see it. `grant` is what a session holds of whoever gave the password."""

    pk: uuid.UUID
    token: str
    title: str
    message: str
    sender_name: str
    has_password: bool
    grant: str
    download_limit: int | None
    download_count: int
    delete_after_download: bool
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    taken_down_at: datetime | None
    files: tuple[SharedFile, ...]

    @property
    def state(self) -> TransferState:
        """What the files add up to."""
        return transfer_state(file.state for file in self.files)

    @property
    def downloads_left(self) -> int | None:
        """None: as many as wanted."""
        return downloads_left(self.download_limit, self.download_count)

    def link_state(self, now: datetime) -> LinkState:
        """Whether the link opens for a recipient, or why not."""
        return link_state(
            expires_at=self.expires_at, closed_at=self.closed_at, taken_down_at=self.taken_down_at, now=now
        )

    def get_absolute_url(self) -> str:
        """The link, as a path."""
        return f"/t/{self.token}"


def shared_transfer(token: str) -> SharedTransfer | None:
    """What is behind a link now; None when there is nothing."""
    transfer = Transfer.objects.linked(token).first()
    if transfer is None:
        return None
    files = transfer.files.select_related("preview_job")
    return SharedTransfer(
        pk=transfer.pk,
        token=transfer.token,
        title=transfer.title,
        message=transfer.message,
        sender_name=transfer.sender_words,
        has_password=transfer.has_password,
        grant=transfer.grant,
        download_limit=transfer.download_limit,
        download_count=transfer.download_count,
        delete_after_download=transfer.delete_after_download,
        created_at=transfer.created_at,
        expires_at=transfer.expires_at,
        closed_at=transfer.closed_at,
        taken_down_at=transfer.taken_down_at,
        files=tuple(shared_file(file, transfer) for file in files),
    )


def shared_file(file: File, transfer: Transfer) -> SharedFile:
    """A file as its recipients see it."""
    job: Any = getattr(file, "preview_job", None)
    preview = _preview(file, transfer, job)
    return SharedFile(
        id=str(file.pk),
        name=file.name,
        folder=file.folder,
        size=file.size,
        type=file.content_type or file.claimed_type,
        sha256=file.sha256,
        state=file.state,
        reason=file.reason,
        url=f"/d/{transfer.token}/{file.pk}",
        thumbnail=str(job.thumbnail or "") if job and file.state == FileState.READY else "",
        preview=preview,
        page_url=f"/t/{transfer.token}/files/{file.pk}" if preview else "",
    )


def _preview(file: File, transfer: Transfer, job: Any) -> str:
    if file.state != FileState.READY:
        return ""
    if is_playable(file.content_type):
        return file.content_type.partition("/")[0] if transfer.plays else ""
    return str(job.kind) if job and job.state == "ready" else ""
