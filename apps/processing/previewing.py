"""Owns what there is to look at of a ready file: asked for when it is published, made by a worker, apart from it.

A preview that cannot be made is no failure of its file. What looks at the bytes is a process of its own, with limits
(apps.processing.previewer); what it says is believed only as far as it can be checked.
"""

import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.common.enqueue import enqueue
from apps.processing import rules
from apps.processing.metrics import PREVIEWS, STAGE_SECONDS
from apps.processing.models import Preview, PreviewJob
from apps.processing.owning import ClaimLostError
from apps.processing.rules import PreviewKind, PreviewState
from apps.transfers.caching import transfer_changed
from apps.transfers.discarding import discard_later
from apps.transfers.models import File
from apps.transfers.rules import FileState
from apps.uploads.ports import PartMissingError, StoreError
from apps.uploads.store import blob_store

logger = structlog.get_logger(__name__)

_CODE = Path(__file__).resolve().parents[2]
LOOK_SECONDS = 30.0  # for one file, whatever it holds
_HEAD_BYTES = 256 * 2**10  # of a text
_TAIL_BYTES = 8 * 2**20  # of a zip, where its directory is
_MOST_PREVIEWS = 16
_MOST_BYTES = 32 * 2**20  # of one preview
_TYPES = {
    PreviewKind.THUMBNAIL: "image/webp",
    PreviewKind.PICTURE: "image/webp",
    PreviewKind.PAGE: "image/webp",
    PreviewKind.TEXT: "text/plain; charset=utf-8",
    PreviewKind.LISTING: "application/json",
}
_MOST_PIXELS = 10_000


class NotLookedAtError(Exception):
    """Nothing can be shown of this file, and trying again will not change that. Says why, for the log."""


@dataclass(frozen=True)
class Made:
    """One preview as it lies in the maker's folder."""

    kind: PreviewKind
    position: int
    path: Path
    width: int
    height: int
    size: int


def preview_request(*, file_id: uuid.UUID, content_type: str, size: int) -> None:
    """Have previews made of a file that is being published, if there are any to make. Part of that transaction."""
    task = rules.preview_task(content_type)
    whole = task in ("picture", "pages")
    if not settings.PREVIEWS or task is None or not size or (whole and size > settings.PREVIEW_MAX_BYTES):
        return
    PreviewJob.objects.get_or_create(file_id=file_id)
    enqueue("processing.preview_file", str(file_id))


class PreviewClaim:
    """One worker's right to make one file's previews, renewed while it does."""

    def __init__(self, job: PreviewJob, token: uuid.UUID) -> None:
        self.job = job
        self.token = token
        self._renewed = time.monotonic()

    def keep(self) -> None:
        """Renew when it is due. Raises ClaimLostError, also when the file is gone."""
        if not rules.renewal_due(time.monotonic() - self._renewed, settings.CLAIM_SECONDS):
            return
        if not PreviewJob.objects.renew(self.job.pk, self.token, settings.CLAIM_SECONDS):
            raise ClaimLostError
        self._renewed = time.monotonic()


def file_preview(*, file_id: uuid.UUID) -> bool:
    """Make one file's previews; False when there was nothing to do, or it could not be done (now, or at all)."""
    claim = _claim(file_id)
    if claim is None:
        return False
    task = rules.preview_task(claim.job.file.content_type) or "none"
    try:
        with (
            STAGE_SECONDS.labels("preview").time(),
            tempfile.TemporaryDirectory(prefix="spillway-preview-") as folder,
        ):
            made = _look(claim, task, Path(folder))
            _keep(claim, made)
    except ClaimLostError:
        logger.warning("preview_claim_lost", file=str(file_id))
    except (NotLookedAtError, PartMissingError) as error:
        _fail(claim, task, str(error))
    except (StoreError, OSError):
        logger.error("preview_store_failed", file=str(file_id), exc_info=True)
        PreviewJob.objects.put_back(file_id, claim.token, rules.pause_seconds(claim.job.attempts))
    else:
        PREVIEWS.labels(task, "ready").inc()
        logger.info("preview_ready", file=str(file_id), task=task, previews=len(made))
        return True
    return False


def _claim(file_id: uuid.UUID) -> PreviewClaim | None:
    token = uuid.uuid4()
    if not PreviewJob.objects.claim(file_id, token, settings.CLAIM_SECONDS):
        return None
    claim = PreviewClaim(PreviewJob.objects.select_related("file").get(pk=file_id), token)
    if claim.job.attempts > rules.MOST_PREVIEW_ATTEMPTS or claim.job.file.state != FileState.READY:
        _fail(claim, rules.preview_task(claim.job.file.content_type) or "none", "tried too often")
        return None
    return claim


def _fail(claim: PreviewClaim, task: str, reason: str) -> None:
    if PreviewJob.objects.finish(claim.job.pk, claim.token, PreviewState.FAILED, reason=reason[:200]):
        PREVIEWS.labels(task, "failed").inc()
        logger.warning("preview_failed", file=str(claim.job.pk), task=task, reason=reason[:200])


def _look(claim: PreviewClaim, task: str, folder: Path) -> list[Made]:
    """Fetch what is needed of the bytes, and have another process look at them."""
    file, source, out = claim.job.file, folder / "source", folder / "made"
    out.mkdir()
    size = {"text": _HEAD_BYTES, "listing": _TAIL_BYTES}.get(task, settings.PREVIEW_MAX_BYTES)
    start = max(0, file.size - size) if task == "listing" else 0
    with open(source, "wb") as target:
        for block in blob_store().read_blob(file.blob_key, start=start, size=size):
            target.write(block)
            claim.keep()
    told = _maker(task, source, out, file.size, start, keep=claim.keep)
    return _checked(told, out)


def _maker(task: str, source: Path, out: Path, size: int, start: int, *, keep: Callable[[], None]) -> bytes:
    """What the maker says. Raises NotLookedAtError when it fails, or takes too long."""
    arguments = [sys.executable, "-m", "apps.processing.previewer", task, str(source), str(out)]
    arguments += [str(size), str(start)]
    with (
        open(out.parent / "words", "w+b") as words,
        subprocess.Popen(
            arguments,
            cwd=_CODE,
            # None of ours: there are secrets in it.
            env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as maker,
    ):
        try:
            _wait(maker, keep)
        finally:
            maker.kill()
        words.seek(0)
        return words.read(2**16)


def _wait(maker: "subprocess.Popen[bytes]", keep: Callable[[], None]) -> None:
    until = time.monotonic() + LOOK_SECONDS
    while True:
        try:
            status = maker.wait(timeout=0.5)
            break
        except subprocess.TimeoutExpired:
            keep()
            if time.monotonic() > until:
                raise NotLookedAtError(f"took longer than {LOOK_SECONDS:.0f} s") from None
    if status:
        raise NotLookedAtError(f"its maker ended with {status}")


def _checked(told: bytes, out: Path) -> list[Made]:
    """What was made, as far as it is what was asked for: whoever told this has read bytes that nobody trusts."""
    try:
        rows = json.loads(told)
        made = [_checked_row(out, *row) for row in rows]
    except (ValueError, TypeError, RecursionError) as error:
        raise NotLookedAtError("its maker told nonsense") from error
    if len(made) > _MOST_PREVIEWS:
        raise NotLookedAtError("too many previews")
    return made


def _checked_row(out: Path, kind: str, position: int, name: str, width: int, height: int) -> Made:
    known = PreviewKind(kind)
    path = out / f"{known}-{int(position)}"
    if name != path.name or not 0 <= position < _MOST_PREVIEWS or path.is_symlink() or not path.is_file():
        raise ValueError("not what was asked for")
    size = path.stat().st_size
    if size > _MOST_BYTES or not (0 <= width <= _MOST_PIXELS and 0 <= height <= _MOST_PIXELS):
        raise ValueError("too large")
    return Made(known, int(position), path, int(width), int(height), size)


def _keep(claim: PreviewClaim, made: Sequence[Made]) -> None:
    """1. Rows that name the bytes, which nobody is shown yet; an earlier attempt's go. 2. The bytes. 3. Show them."""
    file = claim.job.file
    rows = [_row(file, one) for one in made]
    with transaction.atomic():
        # File before claim, as whoever removes the file locks them: it sees these rows, or there is no file any more.
        if not File.objects.select_for_update(no_key=True).filter(pk=file.pk).exists():
            raise ClaimLostError
        # The claim's row is locked by this: whoever lost it stops here.
        if not PreviewJob.objects.renew(file.pk, claim.token, settings.CLAIM_SECONDS):
            raise ClaimLostError
        old = Preview.objects.filter(file=file)
        if old_keys := list(old.values_list("blob_key", flat=True)):
            old.delete()
            discard_later(blob_keys=old_keys, upload_ids=[])
        Preview.objects.bulk_create(rows)
    for row, one in zip(rows, made, strict=True):
        _store(row.blob_key, one.path)
        claim.keep()
    thumbnail = next((row.pk for row in rows if row.kind == PreviewKind.THUMBNAIL), None)
    kind = _shown_kind(made)
    with transaction.atomic():
        ready = {"kind": kind, "thumbnail": thumbnail, "reason": ""}
        if not PreviewJob.objects.finish(file.pk, claim.token, PreviewState.READY, **ready):
            raise ClaimLostError
        transfer_changed(file.transfer_id)


def _row(file: File, made: Made) -> Preview:
    return Preview(
        file=file,
        kind=made.kind,
        position=made.position,
        blob_key=rules.blob_key(uuid.uuid4().hex),
        content_type=_TYPES[made.kind],
        width=made.width,
        height=made.height,
        size=made.size,
    )


def _shown_kind(made: Sequence[Made]) -> str:
    """What the page that shows the file is made of."""
    kinds = {one.kind for one in made}
    found = (kind for kind in PreviewKind if kind is not PreviewKind.THUMBNAIL and kind in kinds)
    return next(found, "")


def _store(key: str, path: Path) -> None:
    writer = blob_store().open_blob(key)
    try:
        with open(path, "rb") as file:
            while block := file.read(2**20):
                writer.write(block)
        writer.commit()
    except BaseException:
        writer.discard()
        raise


def previews_sweep(*, most: int = 100) -> int:
    """Ring the doorbell for previews that nobody makes; returns how many."""
    waiting = PreviewJob.objects.unclaimed(timezone.now()).order_by("created_at")
    file_ids = list(waiting.values_list("pk", flat=True)[:most])
    for file_id in file_ids:
        enqueue("processing.preview_file", str(file_id))
    return len(file_ids)
