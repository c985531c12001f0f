"""Owns mending what checking finds: bytes of nobody go, what is lost is said to be lost. Never guesses, never hurries.

Each mend looks once more, behind a lock or in one conditional statement: the site may be live, and a finding old.
"""

import uuid
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from apps.processing import checking
from apps.processing.checking import Finding, Trouble
from apps.transfers.caching import transfer_changed
from apps.transfers.models import File
from apps.transfers.rules import FileState
from apps.uploads.models import Part, Upload
from apps.uploads.ports import BlobStore

logger = structlog.get_logger(__name__)

LOST = "Its bytes were lost on this site. Please send it again."


def finding_mend(*, store: BlobStore, finding: Finding) -> bool:
    """Put one thing right; False when that cannot be done now, because somebody is at it or it is right by now."""
    mended = _mend(store, finding)
    logger.warning(
        "storage_mended" if mended else "storage_not_mended",
        trouble=finding.trouble.value,
        upload=str(finding.upload_id or ""),
        file=str(finding.file_id or ""),
        key=finding.key,
        detail=finding.detail,
    )
    return mended


def _mend(store: BlobStore, finding: Finding) -> bool:
    if finding.file_id is not None:
        return file_lost(file_id=finding.file_id, blob_key=finding.key)
    if finding.upload_id is None:
        return _mend_blob(store, finding)
    if finding.trouble is Trouble.ROOM_WRONG:
        return room_mend(upload_id=finding.upload_id)
    if finding.trouble is Trouble.PART_UNNAMED:
        return part_discard(store=store, upload_id=finding.upload_id, key=finding.key)
    if finding.trouble is Trouble.UPLOAD_UNNAMED:
        return _discard_upload(store, finding.upload_id)
    return upload_set_back(store=store, upload_id=finding.upload_id)


def _mend_blob(store: BlobStore, finding: Finding) -> bool:
    if finding.trouble is Trouble.BLOB_UNFINISHED:
        store.discard_unfinished_blob(finding.key)
        return True
    store.discard_blob(finding.key)
    return store.blob_size(finding.key) is None


def _discard_upload(store: BlobStore, upload_id: uuid.UUID) -> bool:
    store.discard_upload(upload_id)
    Part.objects.filter(upload=upload_id).exclude(upload__in=Upload.objects.needed()).delete()
    return not store.list_parts(upload_id)


def file_lost(*, file_id: uuid.UUID, blob_key: str) -> bool:
    """A file whose published bytes are gone, or are not what they were: nobody shall be offered it any more."""
    lost = File.objects.filter(pk=file_id, state=FileState.READY, blob_key=blob_key)
    if not lost.update(state=FileState.REJECTED, reason=LOST, blob_key=""):
        return False
    Upload.objects.of_file(file_id).give_back()
    for transfer_id in File.objects.filter(pk=file_id).values_list("transfer_id", flat=True):
        transfer_changed(transfer_id)
    return True


def room_mend(*, upload_id: uuid.UUID) -> bool:
    """Reserve what was announced, or nothing for what is done with."""
    announced = Greatest(Coalesce("length", "offset"), "reserved")
    needed = Upload.objects.needed().filter(pk=upload_id, final=None)
    if needed.exclude(reserved__gte=Coalesce("length", "offset")).update(reserved=announced):
        return True
    done = Upload.objects.filter(pk__in=checking.done_with(0).filter(pk=upload_id).values("pk"))
    refused = done.filter(file__state=FileState.REJECTED) | done.filter(final__file__state=FileState.REJECTED)
    return bool(refused.update(reserved=0, staged=False) or done.update(staged=False))


def upload_set_back(*, store: BlobStore, upload_id: uuid.UUID) -> bool:
    """Let an upload go on from the last byte that is still there; its client asks for the offset and sends the rest.

    One that had arrived whole has no client any more: its file is refused. Not while somebody appends.
    """
    with transaction.atomic():
        # 1. Lock the upload if its lease is free: nothing can be appended now. 2. See again what is there. 3. Change.
        free = Upload.objects.filter(pk__in=Upload.objects.needed().filter(pk=upload_id)).free()
        upload = free.select_for_update(of=("self",)).first()
        seen = checking.standing(upload_id) if upload else None
        if upload is None or seen is None:
            return False
        file = File.objects.filter(upload__in=(upload_id, upload.final_id)).first()
        if seen.of_partials is not None:
            return seen.offset != seen.of_partials and file is not None and _refuse(file)
        good = seen.good_bytes(checking.part_sizes(store, upload_id))
        if good == seen.offset == seen.total:
            return False
        if file is not None and file.state == FileState.PROCESSING:
            return _refuse(file)
        _set_back(upload, good)
    return True


def _set_back(upload: Upload, good: int) -> None:
    Part.objects.filter(upload=upload, offset__gte=good).delete()
    until = timezone.now() + timedelta(seconds=settings.UPLOAD_EXPIRES_SECONDS)
    Upload.objects.filter(pk=upload.pk).update(
        offset=good, expires_at=until, lease_token=None, lease_until=None
    )


def part_discard(*, store: BlobStore, upload_id: uuid.UUID, key: str) -> bool:
    """Remove a part that no row names. A commit that names it may be under way: it has the upload locked."""
    with transaction.atomic():
        locked = Upload.objects.select_for_update(of=("self",)).filter(pk=upload_id).first()
        seen = checking.standing(upload_id) if locked else None
        if seen is None or seen.names(key):
            return False
        store.discard_part(upload_id, key)
    return True


def rooms_tidy(*, older_than_seconds: float = 3600.0) -> int:
    """Give back room that is kept for what is done with; how many uploads that were."""
    found = checking.rooms_check(older_than_seconds)
    return sum(room_mend(upload_id=finding.upload_id) for finding in found if finding.upload_id)


def _refuse(file: File) -> bool:
    """A worker that has it in its hands loses its claim."""
    waiting = File.objects.filter(pk=file.pk, state__in=(FileState.UPLOADING, FileState.PROCESSING))
    refused = waiting.update(state=FileState.REJECTED, reason=LOST, claim_token=None, claimed_until=None)
    Upload.objects.of_file(file.pk).give_back()
    transfer_changed(file.transfer_id)
    return bool(refused)
