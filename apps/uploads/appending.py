"""Owns one request's append: bytes from its body into parts, and parts into the upload's offset.

Nothing here waits long, holds a database connection while bytes flow, or acknowledges a byte that is not durable.
"""

import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apps.common.enqueue import enqueue
from apps.lifecycle import drain
from apps.transfers.models import File
from apps.transfers.rules import FileState
from apps.uploads.errors import UploadLeaseLostError
from apps.uploads.models import Part, Upload
from apps.uploads.ports import BlobStore, ByteSource, Writer
from apps.uploads.rules import Pause, commit_due, part_key

logger = structlog.get_logger(__name__)

BLOCK_BYTES = 2**20
LOOK_SECONDS = (
    0.5  # how often a holder looks up: is it wanted, does the instance drain, does the lease need renewing
)


@dataclass
class Lease:
    """The right to append to one upload, as held by one request."""

    upload_id: uuid.UUID
    file_id: uuid.UUID
    length: int
    offset: int
    token: uuid.UUID = field(default_factory=uuid.uuid4)


def commit_part(*, lease: Lease, key: str, size: int) -> None:
    """Move the offset over a part that is durable in the store; the last one hands the file to processing.

    One transaction: the conditional UPDATE comes first, so a holder whose lease is gone writes nothing at all.
    Raises UploadLeaseLostError. Gives the database connection back.
    """
    try:
        with transaction.atomic():
            moved = Upload.objects.advance(
                lease.upload_id,
                lease.token,
                offset=lease.offset,
                size=size,
                expires_at=timezone.now() + timedelta(seconds=settings.UPLOAD_EXPIRES_SECONDS),
                seconds=settings.LEASE_SECONDS,
            )
            if not moved:
                raise UploadLeaseLostError
            Part.objects.create(upload_id=lease.upload_id, offset=lease.offset, size=size, key=key)
            if lease.offset + size == lease.length:
                file_hand_over(file_id=lease.file_id)
    finally:
        connection.close()
    lease.offset += size


def file_hand_over(*, file_id: uuid.UUID) -> None:
    """A file that has arrived whole becomes the workers' business; call it inside the transaction that says so."""
    File.objects.filter(pk=file_id, state=FileState.UPLOADING).update(state=FileState.PROCESSING)
    enqueue("processing.process_file", str(file_id))


class Appending:
    """The loop of one PATCH (or of a creation with a body): take, write, commit, look up, until told to stop."""

    def __init__(self, *, lease: Lease, source: ByteSource, store: BlobStore, announced: int | None) -> None:
        """`announced` is the body's length in bytes, or None for a chunked body."""
        self._lease = lease
        self._source = source
        self._store = store
        self._end = None if announced is None else lease.offset + announced
        self._writer: Writer | None = None
        self._key = ""
        self._pending_bytes = 0
        self._part_began = self._last_byte = self._last_look = time.monotonic()

    def run(self) -> Pause:
        """Append until the body ends or somebody asks to stop. Whatever arrived is committed, unless this raises:
        UploadLeaseLostError, StoreError or StoreFullError, and then everything committed before stands.
        """
        try:
            while (pause := self._step()) is None:
                pass
            self._commit()
            return pause
        finally:
            self._discard()

    def _step(self) -> Pause | None:
        left = self._lease.length - self._lease.offset - self._pending_bytes
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
        self._pending_bytes += len(block)
        self._last_byte = time.monotonic()

    def _look_up(self) -> Pause | None:
        now = time.monotonic()
        if commit_due(
            self._pending_bytes,
            now - self._part_began,
            commit_bytes=settings.COMMIT_BYTES,
            commit_seconds=settings.COMMIT_SECONDS,
        ):
            self._commit()
        if now - self._last_look < LOOK_SECONDS:
            return None
        self._last_look = now
        if drain.should_hand_over():
            return Pause.DRAINING
        return Pause.WANTED if self._wanted() else None

    def _wanted(self) -> bool:
        """Renew the lease and see whether somebody waits for it. Raises UploadLeaseLostError."""
        try:
            if not Upload.objects.renew(
                self._lease.upload_id, self._lease.token, seconds=settings.LEASE_SECONDS
            ):
                raise UploadLeaseLostError
            return Upload.objects.filter(pk=self._lease.upload_id, lease_wanted=True).exists()
        finally:
            connection.close()

    def _commit(self) -> None:
        """1. The store makes the part durable. 2. The database moves the offset over it. In this order a crash
        between the two leaves an unnamed part, never an acknowledged byte that is not there.
        """
        if self._writer is None:
            return
        self._writer.commit()
        commit_part(lease=self._lease, key=self._key, size=self._pending_bytes)
        self._writer, self._pending_bytes = None, 0

    def _discard(self) -> None:
        if self._writer is not None:
            self._writer.discard()
        self._writer, self._pending_bytes = None, 0
