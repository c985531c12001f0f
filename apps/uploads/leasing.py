"""Owns how a request comes to hold the lease on an upload, or to know its offset while nobody does."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from django.conf import settings
from django.utils import timezone

from apps.transfers.errors import TransferTakenDownError
from apps.uploads.errors import (
    UploadExpiredError,
    UploadFinalError,
    UploadLockedError,
    UploadNotFoundError,
    UploadOffsetConflictError,
)
from apps.uploads.metrics import LEASE_WAITS
from apps.uploads.models import Upload
from apps.uploads.waiting import ReleaseListener

_POLL_SECONDS = 0.25  # between two looks at a lease that somebody else holds, if nothing is heard


@dataclass
class Lease:
    """The right to append to one upload, as held by one request. `upload` is kept as the holder's own writes make
    it: while the lease stands nobody else moves its offset.
    """

    upload: Upload
    token: uuid.UUID
    held: bool = True
    # When the holder itself last made it longer (monotonic).
    renewed_at: float = field(default_factory=time.monotonic)

    @property
    def upload_id(self) -> uuid.UUID:
        return self.upload.pk

    @property
    def offset(self) -> int:
        return self.upload.offset

    def renewed(self) -> None:
        """Remember that the holder lives, and its lease with it."""
        self.renewed_at = time.monotonic()

    def given_back(self) -> None:
        """Remember that the row names no holder any more."""
        self.held, self.upload.lease_token, self.upload.lease_until = False, None, None


def upload_find(*, upload_id: uuid.UUID) -> Upload:
    """The upload with its file and transfer. Raises UploadNotFoundError and UploadExpiredError."""
    upload = Upload.objects.select_related("transfer", "file__transfer").filter(pk=upload_id).first()
    if upload is None:
        raise UploadNotFoundError
    # While staff has it taken down its clock stands: restored, it goes on from where it is.
    now = upload.of_transfer.taken_down_at or timezone.now()
    if upload.of_transfer.expires_at < now or (upload.waits and upload.expires_at < now):
        raise UploadExpiredError
    return upload


def upload_settle(*, upload_id: uuid.UUID, wait_seconds: float) -> Upload:
    """The upload at an offset that the next append is accepted at: nobody holds its lease.

    Raises UploadNotFoundError, UploadExpiredError and, when the holder does not let go in time, UploadLockedError.
    """
    with _Wait(upload_id, wait_seconds) as wait:
        upload_find(upload_id=upload_id)
        while not Upload.objects.settle(upload_id):
            wait.turn()
    # Read after the lease was taken away: a commit between the two reads cannot be missed.
    return upload_find(upload_id=upload_id)


def lease_take(*, upload_id: uuid.UUID, offset: int) -> Lease:
    """The lease on an upload that stands at `offset`. Asks a present holder to let go and waits for it.

    Raises UploadNotFoundError, UploadExpiredError, UploadFinalError, TransferTakenDownError, UploadLockedError and
    UploadOffsetConflictError.
    """
    token, seconds = uuid.uuid4(), settings.LEASE_SECONDS
    with _Wait(upload_id, settings.LEASE_WAIT_SECONDS, check=_check_takes_bytes) as wait:
        while not (
            upload := Upload.objects.claim(upload_id, token, instance=settings.INSTANCE, seconds=seconds)
        ):
            wait.turn()
    if upload.offset != offset:
        Upload.objects.release(upload_id, token)
        raise UploadOffsetConflictError(
            data={"offset": upload.offset},
            headers={"Upload-Offset": str(upload.offset), "Upload-Expires": upload.expires_header},
        )
    return Lease(upload, token)


def _check_takes_bytes(upload: Upload) -> None:
    if upload.of_transfer.taken_down_at is not None:
        raise TransferTakenDownError
    if upload.is_final:
        raise UploadFinalError


class _Wait:
    """One request's wait for a lease: ask the holder to let go, then look again when it says so, and now and then.

    1. The claim failed. 2. Ask the holder. 3. Listen. 4. Claim again: whatever was released before 3 is seen now,
    whatever is released after it is heard. 5. Wait until something is heard or it is time to look: a holder that died
    says nothing.
    """

    def __init__(
        self, upload_id: uuid.UUID, seconds: float, check: Callable[[Upload], None] = lambda _: None
    ) -> None:
        self._upload_id = upload_id
        self._check = check
        self._seconds, self._turns = seconds, 0
        self._deadline = time.monotonic() + seconds
        self._listener = ReleaseListener(upload_id)

    def __enter__(self) -> "_Wait":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._listener.close()
        # A look without patience is no wait; whoever got the lease at once waited for nobody.
        if self._turns and self._seconds:
            waited = time.monotonic() - self._deadline + self._seconds
            LEASE_WAITS.labels(_outcome(kind)).observe(waited)

    def turn(self) -> None:
        """Return when it is time to try once more. Raises UploadLockedError when the time is over, and what
        `upload_find` and the check raise when that is why nobody gets the lease.
        """
        self._turns += 1
        if not Upload.objects.ask_for(self._upload_id):
            self._check(upload_find(upload_id=self._upload_id))
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise UploadLockedError(headers={"Retry-After": "1"})
        if self._listener.listens:
            self._listener.wait(min(left, _POLL_SECONDS))
        else:
            self._listener.listen()


def _outcome(kind: type[BaseException] | None) -> str:
    if kind is None:
        return "granted"
    return "locked" if issubclass(kind, UploadLockedError) else "refused"


def lease_return(lease: Lease) -> None:
    """Give the lease back, unless that happened with the last commit."""
    if lease.held:
        Upload.objects.release(lease.upload_id, lease.token)
        lease.given_back()
