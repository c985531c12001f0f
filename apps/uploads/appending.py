"""Owns one request's append: bytes from its body into parts, and parts into the upload's offset.

Nothing here waits long, holds a database connection while bytes flow, or acknowledges a byte that is not durable.
"""

import time
import uuid
from contextlib import nullcontext
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apps.common.enqueue import enqueue
from apps.common.errors import SpillwayError
from apps.lifecycle import drain, tally
from apps.transfers.errors import TransferTakenDownError
from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState
from apps.uploads.errors import UploadLeaseLostError
from apps.uploads.keeping import leases
from apps.uploads.leasing import Lease
from apps.uploads.metrics import COMMIT_SECONDS
from apps.uploads.models import Part, Upload
from apps.uploads.ports import BlobStore, ByteSource, StoreError, Writer
from apps.uploads.rules import Checksum, Pause, commit_due, part_key

logger = structlog.get_logger(__name__)

BLOCK_BYTES = 2**20
# How often a holder looks up: is it wanted, does the instance drain. The lease is renewed each time.
LOOK_SECONDS = 0.3
ALONE_EXPIRES_SECONDS = 120  # how long what a killed instance had of a plain PUT is left lying


def commit_part(
    *, lease: Lease, key: str, size: int, release: bool = False, expires_seconds: float | None = None
) -> None:
    """Move the offset over a part that is durable in the store; the last one hands the file to processing.

    One transaction, and one statement unless it is the last part: the conditional UPDATE decides, so a holder whose
    lease is gone writes nothing at all. `release` gives the lease back with it. `expires_seconds` is how long the next
    byte is waited for, UPLOAD_EXPIRES_SECONDS if not given. Raises UploadLeaseLostError, and TransferTakenDownError:
    what staff took down takes no byte more. Gives the database connection back.
    """
    upload = lease.upload
    part = Part(upload_id=upload.pk, offset=upload.offset, size=size, key=key)
    expires_at = timezone.now() + timedelta(seconds=expires_seconds or settings.UPLOAD_EXPIRES_SECONDS)
    lease_seconds = None if release else settings.LEASE_SECONDS
    whole_file = upload.file_id if upload.offset + size == upload.length else None
    try:
        with transaction.atomic() if whole_file else nullcontext():
            if not Upload.objects.advance(
                part, lease.token, expires_at=expires_at, lease_seconds=lease_seconds
            ):
                raise _why_not_moved(upload)
            if whole_file:
                file_hand_over(file_id=whole_file)
    finally:
        connection.close()
    upload.offset, upload.expires_at = upload.offset + size, expires_at
    tally.arrived(size=size, whole=whole_file is not None)
    if release:
        lease.given_back()
    else:
        lease.renewed()


def _why_not_moved(upload: Upload) -> SpillwayError:
    down = Transfer.objects.filter(pk=upload.of_transfer.pk, taken_down_at__isnull=False)
    return TransferTakenDownError() if down.exists() else UploadLeaseLostError()


def file_hand_over(*, file_id: uuid.UUID) -> None:
    """A file that has arrived whole becomes the workers' business; call it inside the transaction that says so."""
    File.objects.filter(pk=file_id, state=FileState.UPLOADING).update(
        state=FileState.PROCESSING, arrived_at=timezone.now()
    )
    enqueue("processing.process_file", str(file_id))


class Appending:
    """The loop of one PATCH (or of a creation with a body): take, write, commit, look up, until told to stop.

    With a checksum nothing is committed before the whole body is there and verified: it is one part, or none.
    """

    def __init__(
        self,
        *,
        lease: Lease,
        source: ByteSource,
        store: BlobStore,
        announced: int | None,
        checksum: Checksum | None = None,
        alone: bool = False,
    ) -> None:
        """`announced` is the body's length in bytes, or None for a chunked body. `alone`: no other request can go on
        where this one ends (a plain PUT), so it hands over to nobody.
        """
        self._lease = lease
        self._source = source
        self._store = store
        self._checksum = checksum
        self._digest = checksum.begin() if checksum else None
        self._alone = alone
        self._end = None if announced is None else lease.offset + announced
        self._writer: Writer | None = None
        self._key = ""
        self._pending_bytes = 0
        self._part_began = self._last_byte = self._last_look = time.monotonic()

    def run(self) -> Pause:
        """Append until the body ends or somebody asks to stop. Whatever arrived is committed, unless this raises:
        UploadLeaseLostError, TransferTakenDownError, StoreError or StoreFullError, and then everything committed before
        stands.
        """
        try:
            with leases.kept(self._lease):
                while (pause := self._step()) is None:
                    pass
                pause = self._verified(pause)
                # With the last bytes the lease goes back, in the same statement: somebody may be waiting for it.
                self._commit(last=True)
            return pause
        except StoreError as error:
            if self._is_mine():
                raise
            raise UploadLeaseLostError from error
        finally:
            self._discard()

    def _is_mine(self) -> bool:
        """Whether the lease stands. With the lease the upload may be gone, and its folder under our hands: then nothing
        is wrong with the store.
        """
        try:
            return self._renewed() is not None
        finally:
            connection.close()

    def _renewed(self) -> bool | None:
        """Whether somebody waits for the lease, which lasts longer now; None when it was lost."""
        lease = self._lease
        return Upload.objects.look(lease.upload_id, lease.token, seconds=settings.LEASE_SECONDS)

    def _verified(self, pause: Pause) -> Pause:
        """A body that is not whole, or not what its checksum says, leaves nothing behind."""
        if self._checksum is None or self._digest is None:
            return pause
        if pause is Pause.COMPLETE and self._digest.digest() == self._checksum.expected:
            return pause
        self._discard()
        return Pause.MISMATCH if pause is Pause.COMPLETE else pause

    def _step(self) -> Pause | None:
        left = self._lease.upload.room - self._pending_bytes
        # One byte more than there is room for: a body that lies about its length is found out, not cut off.
        block = self._source.take(min(BLOCK_BYTES, left + 1), LOOK_SECONDS)
        if block is None:
            return self._quiet()
        if not len(block):
            return self._ended()
        if len(block) > left:
            return self._too_long()
        self._write(block)
        return self._look_up()

    def _quiet(self) -> Pause | None:
        if time.monotonic() - self._last_byte > settings.UPLOAD_IDLE_SECONDS:
            return Pause.IDLE
        return self._look_up()

    def _ended(self) -> Pause:
        arrived = self._lease.offset + self._pending_bytes
        return Pause.COMPLETE if self._end is None or arrived == self._end else Pause.CLIENT_GONE

    def _too_long(self) -> Pause:
        # The tail cannot be trusted to be this file's: what is not committed yet stays uncommitted.
        self._discard()
        return Pause.TOO_LONG

    def _write(self, block: memoryview) -> None:
        if self._writer is None:
            self._key = part_key(self._lease.offset, self._lease.token.hex)
            self._writer = self._store.open_part(self._lease.upload_id, self._key)
            self._part_began = time.monotonic()
        self._writer.write(block)
        if self._digest is not None:
            self._digest.update(block)
        self._pending_bytes += len(block)
        self._last_byte = time.monotonic()

    def _look_up(self) -> Pause | None:
        now = time.monotonic()
        if self._checksum is None and commit_due(
            self._pending_bytes,
            now - self._part_began,
            commit_bytes=settings.COMMIT_BYTES,
            commit_seconds=settings.COMMIT_SECONDS,
        ):
            self._commit()
        # With the body's last byte there is nothing to hand over: who waits gets the lease with the commit, and this
        # request the answer that it has earned.
        whole = self._lease.offset + self._pending_bytes == self._end
        if whole or not self._lease.held or now - self._last_look < LOOK_SECONDS:
            return None
        self._last_look = now
        if drain.should_hand_over() and not self._alone:
            return Pause.DRAINING
        return Pause.WANTED if self._wanted() and not self._alone else None

    def _wanted(self) -> bool:
        """Renew the lease and see whether somebody waits for it. Raises UploadLeaseLostError."""
        try:
            wanted = self._renewed()
        finally:
            connection.close()
        if wanted is None:
            raise UploadLeaseLostError
        self._lease.renewed()
        return wanted

    def _commit(self, *, last: bool = False) -> None:
        """1. The store makes the part durable. 2. The database moves the offset over it. In this order a crash
        between the two leaves an unnamed part, never an acknowledged byte that is not there.
        """
        if self._writer is None:
            return
        began = time.monotonic()
        self._writer.commit()
        # From here on the part is nobody's to remove: when the answer to a COMMIT is lost, the row may name it.
        size, self._writer, self._pending_bytes = self._pending_bytes, None, 0
        # With the body's last byte nothing is left to append: the lease goes back in the same statement.
        last = last or self._lease.offset + size == self._end
        expires_seconds = ALONE_EXPIRES_SECONDS if self._alone else None
        commit_part(
            lease=self._lease, key=self._key, size=size, release=last, expires_seconds=expires_seconds
        )
        COMMIT_SECONDS.observe(time.monotonic() - began)

    def _discard(self) -> None:
        if self._writer is not None:
            self._writer.discard()
        self._writer, self._pending_bytes = None, 0
