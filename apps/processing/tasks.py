"""Owns the names under which the broker knows our work. Each task is one service call."""

import uuid
from typing import TypedDict

from celery import shared_task

from apps.processing import archiving, previewing, services
from apps.processing.mending import rooms_tidy
from apps.transfers.moderating import taken_down_purge
from apps.uploads.expiring import uploads_expire


class Discarded(TypedDict):
    """What `processing.discard` is told: blob keys, and uploads' ids as text."""

    blob_keys: list[str]
    upload_ids: list[str]


@shared_task(name="processing.process_file")
def process_file(file_id: str) -> None:
    """Bring one file to `ready`."""
    services.file_process(file_id=uuid.UUID(file_id))


@shared_task(name="processing.make_archive")
def make_archive(archive_id: str) -> None:
    """Pack the files that a recipient chose."""
    archiving.archive_make(archive_id=uuid.UUID(archive_id))


@shared_task(name="processing.preview_file")
def preview_file(file_id: str) -> None:
    """Make what there is to look at of a ready file."""
    previewing.file_preview(file_id=uuid.UUID(file_id))


@shared_task(name="processing.sweep")
def sweep() -> None:
    """Find work that nobody owns. What can wait rings last."""
    services.files_sweep()
    archiving.archives_sweep()
    previewing.previews_sweep()
    services.discards_sweep()


@shared_task(name="processing.expire")
def expire() -> None:
    """Remove what has had its time: unfinished uploads, then transfers that expired or that staff took down."""
    uploads_expire()
    services.transfers_expire()
    archiving.archives_expire()
    taken_down_purge()


@shared_task(name="processing.discard")
def discard(what: Discarded) -> None:
    """Remove bytes whose rows are gone."""
    services.bytes_discard(blob_keys=what["blob_keys"], upload_ids=what["upload_ids"])


@shared_task(name="processing.collect_orphans")
def collect_orphans() -> None:
    """Remove bytes that nothing names any more, and give back room that is kept for nothing."""
    services.orphans_discard()
    rooms_tidy()
