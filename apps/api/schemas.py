"""Owns the API's words: what goes in and out, as OpenAPI documents it. Sizes are bytes, moments ISO 8601."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Schema
from pydantic import AwareDatetime, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from apps.accounts.rules import TokenScope
from apps.transfers.rules import FileState, LinkState, TransferState


class _In(Schema):
    # A misspelt `password` must not make an open link.
    model_config = ConfigDict(extra="forbid")


class Choices(_In):
    """What a sender may choose; what is left out is as the site has it."""

    title: StrictStr | None = Field(None, description="Shown above the files.")
    message: StrictStr | None = Field(None, description="Shown below the title.")
    expires_days: StrictInt | None = Field(None, description="How long the link works.")
    expires_at: AwareDatetime | None = Field(None, description="When it ends; goes before `expires_days`.")
    password: StrictStr | None = Field(None, description="Recipients must give it. It cannot be read again.")
    download_limit: StrictInt | None = Field(None, description="Most downloads, of all files together.")
    delete_after_download: StrictBool | None = Field(
        None, description="Delete it once every file was downloaded."
    )
    notify_on_download: StrictBool | None = Field(None, description="Mail the owner at the first download.")


class NewTransfer(Choices):
    """The choices for a new transfer."""

    emails: list[StrictStr] | None = Field(
        None, description="Who gets the link by mail once every file is ready."
    )


class NewRequest(_In):
    """What is asked for, and for how long."""

    title: StrictStr | None = Field(None, description="What you ask for; the title of what comes.")
    message: StrictStr | None = Field(None, description="Shown below it.")
    expires_days: StrictInt | None = Field(None, description="How long the link works.")
    expires_at: AwareDatetime | None = Field(None, description="When it ends; goes before `expires_days`.")


class Changes(Choices):
    """What to change. What is left out stays; null (or an empty password) takes the choice away."""


class TransferOut(Schema):
    """A transfer as its owner sees it."""

    id: UUID = Field(
        ...,
        description="What the API calls it. Not the link's token: an address of the API gives nothing away.",
    )
    url: str = Field(..., description="The link for recipients.")
    state: TransferState = Field(..., description="What its files add up to.")
    link: LinkState = Field(..., description="Whether the link opens, or why not.")
    title: str
    message: str
    has_password: bool
    files: int = Field(..., description="How many.")
    bytes: int = Field(..., description="Of all its files, as announced.")
    downloads: int
    download_limit: int | None
    delete_after_download: bool
    notify_on_download: bool
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    request: UUID | None = Field(..., description="The request of yours through which others sent it.")
    sender_name: str = Field(..., description="What they call themselves.")


class MadeTransfer(TransferOut):
    """A new transfer, and what files are sent with. The secret is told this once."""

    secret: str = Field(
        ..., description="For uploads: tus metadata `transfer`, or the header Transfer-Secret."
    )
    upload_url: str = Field(..., description="Where a tus client sends files to.")
    manage_url: str = Field(..., description="The sender's page, for a browser.")


class RequestOut(Schema):
    """A link through which others send you files."""

    id: UUID = Field(..., description="What the API calls it; not the link's token.")
    url: str = Field(..., description="The link to give to others.")
    link: LinkState = Field(..., description="Whether files are taken, or why not.")
    title: str
    message: str
    received: int = Field(..., description="How many transfers came through it.")
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None


class RequestPage(Schema):
    """A page of a list, the newest first."""

    requests: list[RequestOut]
    next: str | None = Field(..., description="The `cursor` of the next page; null at the end.")


class TransferPage(Schema):
    """A page of a list, the newest first."""

    transfers: list[TransferOut]
    next: str | None = Field(..., description="The `cursor` of the next page; null at the end.")


class FileOut(Schema):
    """A file as its sender sees it."""

    id: UUID
    name: str
    folder: str = Field(..., description="Where it lay in the sender's folder: `a/b`.")
    size: int
    type: str
    sha256: str = Field(..., description="Empty until the file is ready.")
    state: FileState
    reason: str = Field(..., description="Why it was rejected.")
    offset: int = Field(..., description="Bytes that are durable here.")
    upload_url: str | None = Field(..., description="Where its upload goes on; null when there is none.")
    url: str = Field(..., description="Where recipients get it.")
    downloads: int


class FileList(Schema):
    """All files of a transfer, in the order in which they were added."""

    files: list[FileOut]


class DayOut(Schema):
    """Downloads of one day (UTC)."""

    day: date
    downloads: int
    bytes: int


class FileDownloads(Schema):
    """Downloads of one file."""

    id: UUID
    name: str
    downloads: int


class Downloads(Schema):
    """What was downloaded of a transfer. Nobody's address is kept."""

    total: int
    days: list[DayOut]
    files: list[FileDownloads]


class TokenOut(Schema):
    """The token that was shown."""

    name: str
    start: str
    scope: TokenScope
    expires_at: datetime | None


class Quota(Schema):
    """How much somebody has here."""

    used_bytes: int
    max_bytes: int | None = Field(..., description="null: no limit.")
    left_bytes: int | None


class Limits(Schema):
    """What this site takes."""

    max_file_bytes: int
    max_transfer_bytes: int | None
    max_transfer_files: int
    expires_days: int
    expires_days_max: int


class Me(Schema):
    """Whose token this is, and what they may."""

    username: str
    name: str
    email: str
    token: TokenOut
    quota: Quota
    limits: Limits


class ErrorBody(Schema):
    """A refusal. More fields may stand beside these, such as `field` or `max_bytes`."""

    model_config = ConfigDict(extra="allow")

    code: Annotated[str, Field(description="Stable: decide by this.")]
    message: str
    request_id: str


class Error(Schema):
    """What every refusal looks like."""

    error: ErrorBody


def given(choices: Choices | NewRequest) -> dict[str, Any]:
    """Keyword arguments for `transfer_create` or `request_create`: what was chosen, null meaning not."""
    return {
        name: value for name, value in choices.model_dump(exclude_unset=True).items() if value is not None
    }


# What null means where something is changed: take it away. Of the others there is always one, so null leaves it.
_CLEARED: dict[str, Any] = {"title": "", "message": "", "password": "", "download_limit": None}


def changed(choices: Changes) -> dict[str, Any]:
    """Keyword arguments for `transfer_change`: what was said, and nothing else."""
    said = choices.model_dump(exclude_unset=True)
    cleared = {name: _CLEARED[name] for name, value in said.items() if value is None and name in _CLEARED}
    return {name: value for name, value in said.items() if value is not None} | cleared
