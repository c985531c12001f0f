"""Owns archives: asked for by a recipient, made by a worker, kept while they are used. Knows no HTTP.

The bytes go from the store to the store as they are packed: neither memory nor a local disk holds an archive. A worker
that is killed leaves a claim that runs out, and another makes the archive again.
"""

import time
import uuid
import zipfile
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, cast

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.common.enqueue import enqueue
from apps.common.errors import NotFoundError
from apps.processing import rules
from apps.processing.errors import ArchiveNoRoomError, ArchiveNotReadyError, NothingChosenError
from apps.processing.metrics import ARCHIVES, STAGE_SECONDS
from apps.processing.models import Archive
from apps.processing.owning import ClaimLostError
from apps.processing.rules import ArchiveState
from apps.transfers.discarding import discard_later
from apps.transfers.models import File, Transfer
from apps.transfers.rules import FileState, clean_name, disposition
from apps.transfers.services import counted_once, downloads_count, link_check
from apps.transfers.tickets import BlobTicket, blob_ticket
from apps.uploads.errors import StorageUnavailableError
from apps.uploads.ports import PartMissingError, StoreError, Writer
from apps.uploads.store import blob_store

logger = structlog.get_logger(__name__)

# So often a worker tells how far it is, and finds out whether it is still wanted.
_TELL_SECONDS = 0.5
# A file's place in an archive needs no more than this, its name twice included.
_OVERHEAD_BYTES = 4_096


def archive_find(*, transfer: Transfer, file_ids: Iterable[uuid.UUID]) -> Archive | None:
    """The archive of these files, if somebody asked for it before; it counts as used now."""
    found = Archive.objects.filter(transfer=transfer, digest=rules.archive_digest(file_ids))
    found.update(used_at=timezone.now())
    return found.exclude(state=ArchiveState.FAILED).first()


def archive_request(*, transfer: Transfer, files: Sequence[File]) -> Archive:
    """The archive of these files, made by a worker if nobody asked for it before. They are ready, and the transfer's.

    Raises NothingChosenError, ArchiveNoRoomError, and NotFoundError when the transfer was removed meanwhile.
    """
    if not files:
        raise NothingChosenError
    total_bytes = sum(file.size for file in files)
    _check_room(total_bytes + len(files) * _OVERHEAD_BYTES)
    archive = _asked_for(transfer, files, total_bytes)
    enqueue("processing.make_archive", str(archive.pk))
    return archive


def _asked_for(transfer: Transfer, files: Sequence[File], total_bytes: int) -> Archive:
    """One row for one choice of files, whoever asks for it at the same moment; one that failed starts over."""
    digest = rules.archive_digest(file.pk for file in files)
    anew = {
        "state": ArchiveState.WAITING,
        "reason": "",
        "attempts": 0,
        "bytes_done": 0,
        "claimed_until": None,
        "used_at": timezone.now(),
    }
    same = Archive.objects.filter(transfer=transfer, digest=digest)
    same.filter(state=ArchiveState.FAILED).update(**anew)
    with transaction.atomic():
        if not Transfer.objects.lock(transfer.pk):
            raise NotFoundError
        archive, _ = Archive.objects.get_or_create(
            transfer=transfer,
            digest=digest,
            defaults={"file_ids": [file.pk for file in files], "bytes_total": total_bytes},
        )
    return archive


def _check_room(need_bytes: int) -> None:
    """An archive takes as much space as its files; uploads go before it. What others make now is not seen yet: the
    reserve is larger than that.
    """
    unmade = Archive.objects.filter(state__in=Archive.objects.all().unfinished)
    need_bytes += sum(total - done for total, done in unmade.values_list("bytes_total", "bytes_done"))
    try:
        free = blob_store().free_bytes()
    except StoreError as error:
        raise StorageUnavailableError(headers={"Retry-After": "5"}) from error
    if free is not None and need_bytes > free - settings.MIN_FREE_BYTES:
        raise ArchiveNoRoomError


class ArchiveClaim:
    """One worker's right to make one archive, renewed while it does, with how far it is."""

    def __init__(self, archive: Archive, token: uuid.UUID) -> None:
        self.archive = archive
        self.token = token
        self.bytes_done = 0
        self._told = time.monotonic()

    def keep(self, *, now: bool = False) -> None:
        """Renew and tell when it is due, or now. Raises ClaimLostError, also when nobody wants the archive any more."""
        if not now and time.monotonic() - self._told < _TELL_SECONDS:
            return
        done = self.bytes_done
        if not Archive.objects.renew(
            self.archive.pk, self.token, settings.CLAIM_SECONDS, bytes_done=done, state=ArchiveState.MAKING
        ):
            raise ClaimLostError
        self._told = time.monotonic()


def archive_make(*, archive_id: uuid.UUID) -> bool:
    """Make one archive; False when there was nothing to do, another worker does it, or it could not be made now."""
    claim = _claim(archive_id)
    if claim is None:
        return False
    try:
        with STAGE_SECONDS.labels("archive").time():
            size = _write(claim)
    except ClaimLostError:
        logger.warning("archive_claim_lost", archive=str(archive_id))
    except PartMissingError:
        _fail(claim, "Some of these files are not there any more. Please choose again.")
    except StoreError:
        # A sweep tries again after a pause, until it was tried too often.
        logger.error("archive_store_failed", archive=str(archive_id), exc_info=True)
        _put_back(claim)
    else:
        if Archive.objects.finish(
            archive_id, claim.token, ArchiveState.READY, size=size, bytes_done=claim.bytes_done
        ):
            ARCHIVES.labels("ready").inc()
            logger.info("archive_ready", archive=str(archive_id), bytes=size)
            return True
        logger.warning("archive_claim_lost", archive=str(archive_id))
    blob_store().discard_blob(claim.archive.blob_key)
    return False


def _claim(archive_id: uuid.UUID) -> ArchiveClaim | None:
    """Own the archive and name the bytes to come. One that was tried too often has failed."""
    token = uuid.uuid4()
    # The key of an attempt before is nobody's now: what lies under it is collected as orphans are.
    values = {"blob_key": rules.blob_key(token.hex), "bytes_done": 0}
    if not Archive.objects.claim(archive_id, token, settings.CLAIM_SECONDS, **values):
        return None
    archive = Archive.objects.select_related("transfer").get(pk=archive_id)
    claim = ArchiveClaim(archive, token)
    if archive.attempts > rules.MOST_ARCHIVE_ATTEMPTS:
        _fail(claim, "These files could not be packed together. Please download them one by one.")
        return None
    return claim


def _fail(claim: ArchiveClaim, reason: str) -> None:
    if Archive.objects.finish(claim.archive.pk, claim.token, ArchiveState.FAILED, reason=reason):
        ARCHIVES.labels("failed").inc()
        logger.error("archive_failed", archive=str(claim.archive.pk), reason=reason)


def _put_back(claim: ArchiveClaim) -> None:
    pause_seconds = rules.pause_seconds(claim.archive.attempts)
    Archive.objects.put_back(claim.archive.pk, claim.token, pause_seconds)


def _write(claim: ArchiveClaim) -> int:
    """Pack the files into the blob; its size. The blob is there whole, or not at all."""
    files = _files(claim.archive)
    writer = blob_store().open_blob(claim.archive.blob_key)
    try:
        target = _Target(writer)
        pack(target, files, claim)
        claim.keep(now=True)
        writer.commit()
    except BaseException:
        writer.discard()
        raise
    return target.size


def _files(archive: Archive) -> list[File]:
    found = File.objects.filter(pk__in=archive.file_ids, transfer=archive.transfer, state=FileState.READY)
    files = {file.pk: file for file in found}
    if len(files) != len(archive.file_ids):
        raise PartMissingError("a file of the archive is gone")
    return sorted(files.values(), key=lambda file: (file.folder, file.created_at, file.pk))


class _Target:
    """What zipfile writes to: a run of bytes that nobody can go back in."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.size = 0

    def write(self, data: bytes | memoryview) -> int:
        """Append."""
        self._writer.write(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """The writer makes bytes durable at its end."""


def pack(target: Any, files: Sequence[File], claim: ArchiveClaim) -> None:
    """Write a zip of the files, not compressed: most of what is sent is already, and ranges stay cheap to serve."""
    paths = rules.archive_paths([(file.folder, file.name) for file in files])
    with zipfile.ZipFile(cast("Any", target), "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for file, path in zip(files, paths, strict=True):
            with archive.open(_entry(file, path), "w") as member:
                for block in blob_store().read_blob(file.blob_key):
                    member.write(block)
                    claim.bytes_done += len(block)
                    claim.keep()


def _entry(file: File, path: str) -> zipfile.ZipInfo:
    """zipfile marks names that are not ASCII as UTF-8, and chooses zip64 by the size."""
    moment = file.created_at.astimezone(timezone.get_default_timezone())
    entry = zipfile.ZipInfo(path, moment.timetuple()[:6])
    entry.external_attr = 0o644 << 16
    entry.file_size = file.size
    return entry


def archive_authorise(*, archive: Archive, client: str, starts_over: bool, counts: bool) -> BlobTicket:
    """Let `client` have an archive's bytes: one download of the transfer, and one of each file in it.

    Raises what `link_check` raises, ArchiveNotReadyError and DownloadLimitReachedError. Passwords are checked before.
    """
    link_check(transfer=archive.transfer)
    if archive.state != ArchiveState.READY:
        raise ArchiveNotReadyError(data={"state": archive.state}, headers={"Retry-After": "2"})
    with counted_once(
        transfer=archive.transfer, key=f"{archive.pk}:{client}", starts_over=starts_over, counts=counts
    ) as is_new:
        if is_new:
            downloads_count(transfer=archive.transfer, file_ids=archive.file_ids)
            Archive.objects.filter(pk=archive.pk).update(used_at=timezone.now())
    return blob_ticket(
        archive.blob_key,
        content_type="application/zip",
        disposition=disposition(archive_name(archive.transfer)),
        method="GET" if counts else "HEAD",
    )


def archive_name(transfer: Transfer) -> str:
    """What the archive is called on the recipient's disk."""
    return clean_name(f"{(transfer.title or 'files').replace('/', '-')[:120].strip()}.zip")


def archives_sweep(*, most: int = 50) -> int:
    """Ring the doorbell for archives that nobody makes; returns how many."""
    waiting = Archive.objects.unclaimed(timezone.now()).order_by("created_at")
    archive_ids = list(waiting.values_list("pk", flat=True)[:most])
    for archive_id in archive_ids:
        enqueue("processing.make_archive", str(archive_id))
    return len(archive_ids)


def archives_expire(*, most: int = 200) -> int:
    """Forget archives that nobody asked for in a while, rows first; how many."""
    since = timezone.now() - timedelta(seconds=settings.ARCHIVE_KEEP_SECONDS)
    count = 0
    for archive in Archive.objects.unused(since).order_by("used_at")[:most]:
        # Somebody may have asked for it in between.
        with transaction.atomic():
            if not Archive.objects.unused(since).filter(pk=archive.pk).delete()[0]:
                continue
            discard_later(blob_keys=[archive.blob_key] if archive.blob_key else [], upload_ids=[])
        count += 1
    return count
