"""Owns what happens to a file after its last byte: assemble, hash, check, sniff, publish; and cleaning up.

Every step can be run again, by anybody, at any time. The database is the queue of record: a claim says who works
on a file, and a sweep finds files whose claim has run out.
"""

import time
import uuid
from collections.abc import Sequence
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.common.enqueue import enqueue
from apps.processing import rules, sniff
from apps.processing.metrics import FILES, STAGE_SECONDS
from apps.processing.models import named_blobs
from apps.processing.owning import ClaimLostError
from apps.processing.previewing import preview_request
from apps.transfers.caching import transfer_changed
from apps.transfers.discarding import discard_later
from apps.transfers.models import TROUBLE_MAX_CHARACTERS, Discard, File, Transfer
from apps.uploads.models import Part, Upload
from apps.uploads.ports import PartMissingError, PartRef, StoreError
from apps.uploads.store import blob_store

logger = structlog.get_logger(__name__)

ORPHAN_SECONDS = 86_400.0
DISCARD_SECONDS = 10.0  # how long the message about bytes that are to go is waited for
# What is said of a file that was tried too often; it can be tried again by hand while its parts are there.
GAVE_UP = "It could not be processed. Please send it again."
KEEP_EXPIRED_DAYS = 30  # how long a dead link still says that, and when, it expired


class Claim:
    """One worker's right to process one file, renewed while it works."""

    def __init__(self, file: File, token: uuid.UUID) -> None:
        self.file = file
        self.token = token
        self._renewed = time.monotonic()

    def keep(self, *, now: bool = False) -> None:
        """Renew when it is due, or now. Raises ClaimLostError."""
        if not now and not rules.renewal_due(time.monotonic() - self._renewed, settings.CLAIM_SECONDS):
            return
        if not File.objects.renew(self.file.pk, self.token, settings.CLAIM_SECONDS):
            raise ClaimLostError
        self._renewed = time.monotonic()


def file_process(*, file_id: uuid.UUID) -> bool:
    """Bring one file from `processing` to `ready` or `rejected`; False when there was nothing to do or another
    worker owns it. A store that fails leaves the file to a later sweep.
    """
    claim = file_claim(file_id=file_id)
    if claim is None:
        return False
    key = rules.blob_key(claim.token.hex)
    try:
        return _publish(claim, key, _assemble(claim, key))
    except ClaimLostError:
        FILES.labels("lost").inc()
        logger.warning("claim_lost", file=str(file_id))
    except PartMissingError as error:
        # Tried again all the same, until it was tried too often: rejecting is for good, and a disk may come back.
        logger.error("part_missing", file=str(file_id), exc_info=True)
        _put_back(claim, error, counts=True)
    except StoreError as error:
        logger.error("store_failed", file=str(file_id), exc_info=True)
        _put_back(claim, error)
    blob_store().discard_blob(key)
    return False


def file_claim(*, file_id: uuid.UUID) -> Claim | None:
    """Own the file, unless somebody does or it is not waiting. One that was tried too often is refused."""
    token = uuid.uuid4()
    if not File.objects.claim(file_id, token, settings.CLAIM_SECONDS):
        return None
    claim = Claim(File.objects.get(pk=file_id), token)
    if rules.gives_up(claim.file.attempts):
        _reject(claim, GAVE_UP)
        return None
    return claim


def _assemble(claim: Claim, key: str) -> str:
    """Make the blob of the parts; the SHA-256 in hex. The claim is kept meanwhile."""
    with STAGE_SECONDS.labels("assemble").time():
        return blob_store().assemble(_parts(claim.file), key, keep=claim.keep)


def _parts(file: File) -> Sequence[PartRef]:
    """The parts in order. Contiguous from 0 by construction; checked all the same, since this is the last chance."""
    final = Upload.objects.get(file=file)
    parts, size = [], 0
    for upload in [*final.partials.order_by("position")] or [final]:
        offset = 0
        for part in Part.objects.filter(upload=upload).order_by("offset"):
            if part.offset != offset:
                break
            parts.append(PartRef(part.upload_id, part.key, part.size))
            offset += part.size
        if offset != upload.length:
            raise PartMissingError(f"parts cover {offset} of {upload.length} bytes")
        size += offset
    if size != file.size:
        raise PartMissingError(f"parts cover {size} of {file.size} bytes")
    return parts


def _publish(claim: Claim, key: str, sha256: str) -> bool:
    file = claim.file
    if file.expected_sha256 and file.expected_sha256 != sha256:
        blob_store().discard_blob(key)
        return _reject(claim, "Its checksum is not the one the sender gave. Please send it again.")
    with STAGE_SECONDS.labels("sniff").time():
        kind = sniff.content_type(blob_store().read_head(key, rules.SNIFF_BYTES))
    with STAGE_SECONDS.labels("publish").time(), transaction.atomic():
        if not File.objects.publish(file.pk, claim.token, blob_key=key, sha256=sha256, content_type=kind):
            raise ClaimLostError
        preview_request(file_id=file.pk, content_type=kind, size=file.size)
        transfer_changed(file.transfer_id)
    FILES.labels("ready").inc()
    logger.info("file_ready", file=str(file.pk), bytes=file.size, attempts=file.attempts)
    enqueue("transfers.send_mails", str(file.transfer_id))
    with STAGE_SECONDS.labels("tidy").time():
        _forget_parts(file.pk)
    return True


def _reject(claim: Claim, reason: str) -> bool:
    """Refuse a file for good. Its parts stay until orphans are collected: whoever runs the site may look at them."""
    if not File.objects.reject(claim.file.pk, claim.token, reason):
        return False
    # Its bytes are nobody's any more, and no room is kept for them. A crash right before this is check_storage's.
    Upload.objects.of_file(claim.file.pk).give_back()
    transfer_changed(claim.file.transfer_id)
    FILES.labels("rejected").inc()
    logger.warning("file_rejected", file=str(claim.file.pk), reason=reason)
    return True


def _forget_parts(file_id: uuid.UUID) -> None:
    """The staged bytes are not needed any more. The upload's row stays: a client whose last answer was lost asks
    for the offset once more.
    """
    upload_ids = list(Upload.objects.of_file(file_id).values_list("pk", flat=True))
    Part.objects.filter(upload__in=upload_ids).delete()
    for upload_id in upload_ids:
        blob_store().discard_upload(upload_id)
    # Last: until then the place is still taken.
    Upload.objects.filter(pk__in=upload_ids).update(staged=False)


def _put_back(claim: Claim, error: StoreError, *, counts: bool = False) -> None:
    """Let a sweep try again after a pause. The attempt does not count when it was the store's fault."""
    FILES.labels("put_back").inc()
    File.objects.put_back(
        claim.file.pk,
        claim.token,
        rules.pause_seconds(claim.file.attempts),
        attempts=F("attempts") - (0 if counts else 1),
        trouble=str(error)[:TROUBLE_MAX_CHARACTERS],
    )


def files_sweep(*, most: int = 200) -> int:
    """Ring the doorbell for files that nobody works on; returns how many."""
    waiting = list(
        File.objects.unclaimed(timezone.now()).order_by("created_at").values_list("pk", flat=True)[:most]
    )
    for file_id in waiting:
        enqueue("processing.process_file", str(file_id))
    return len(waiting)


def transfers_expire(*, most: int = 100) -> int:
    """Remove the files of expired transfers, at most `most` transfers at a time; returns how many.

    The transfer's row stays for a while, so that its link can say when it expired.
    """
    now = timezone.now()
    Transfer.objects.filter(expires_at__lt=now - timedelta(days=KEEP_EXPIRED_DAYS), files=None).delete()
    due = list(Transfer.objects.expired(now).filter(files__isnull=False).distinct()[:most])
    for transfer in due:
        _empty(transfer)
    return len(due)


def _empty(transfer: Transfer) -> None:
    """Remove a transfer's files: rows now, bytes right after. Uploads are locked first, so none can grow meanwhile."""
    with transaction.atomic():
        files = File.objects.filter(transfer=transfer)
        upload_ids, blob_keys = files.lock_uploads(), [*files.blob_keys(), *files.drop_archives()]
        files.delete()
        transfer_changed(transfer.token)
        discard_later(blob_keys=blob_keys, upload_ids=upload_ids)


def bytes_discard(*, blob_keys: Sequence[str], upload_ids: Sequence[str]) -> None:
    """Remove bytes that no row names. Asks the database once more: a stray message deletes nothing that is used."""
    store = blob_store()
    for key in set(blob_keys) - named_blobs(blob_keys):
        store.discard_blob(key)
    alive = {str(pk) for pk in Upload.objects.filter(pk__in=upload_ids).values_list("pk", flat=True)}
    for upload_id in set(upload_ids) - alive:
        store.discard_upload(uuid.UUID(upload_id))
    Discard.objects.of([*blob_keys], [*upload_ids]).delete()


def discards_sweep(*, most: int = 500, older_than_seconds: float = DISCARD_SECONDS) -> int:
    """Remove bytes that were to go and of which no message came; returns how many runs of them went.

    What the store would not let go of waits behind all others: it must not keep them. Two sweeps at once do no harm:
    removing twice is no error.
    """
    since = timezone.now() - timedelta(seconds=older_than_seconds)
    kept: list[int] = []
    waiting = list(Discard.objects.waiting_since(since)[:most])
    for discard in waiting:
        try:
            bytes_discard(
                blob_keys=[discard.blob_key] if discard.blob_key else [],
                upload_ids=[str(discard.upload_id)] if discard.upload_id else [],
            )
        except StoreError:
            logger.warning("discard_failed", what=str(discard), exc_info=True)
            kept.append(discard.pk)
    Discard.objects.filter(pk__in=kept).update(created_at=timezone.now())
    return len(waiting) - len(kept)


def orphans_discard(*, older_than_seconds: float = ORPHAN_SECONDS) -> int:
    """Remove bytes that a killed process or a lost message left behind; returns how many runs of them."""
    store = blob_store()
    count = store.discard_unfinished(older_than_seconds)
    for key in store.old_blobs(older_than_seconds):
        if not named_blobs([key]):
            store.discard_blob(key)
            count += 1
    for upload_id in store.old_uploads(older_than_seconds):
        if not Upload.objects.needed().filter(pk=upload_id).exists():
            store.discard_upload(upload_id)
            count += 1
    return count
