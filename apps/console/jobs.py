"""Owns failed jobs: noting one that a worker gave up for good, trying it again, letting it be. Runs no job itself."""

from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from apps.common.enqueue import enqueue
from apps.common.errors import ForbiddenError
from apps.common.masking import masked
from apps.console.models import ERROR_MAX_CHARACTERS, FailedJob
from apps.console.rules import label_of
from apps.console.vocabulary import JobState
from apps.processing.services import GAVE_UP
from apps.transfers.caching import transfer_changed
from apps.transfers.models import File, LinkMail
from apps.transfers.rules import FileState, MailState
from apps.uploads.models import Upload

logger = structlog.get_logger(__name__)
PROCESS_FILE, SEND_MAILS = "processing.process_file", "transfers.send_mails"


class JobGoneError(ForbiddenError):
    """What the job was about is not there any more, or somebody dealt with it a moment ago."""

    code = "job_gone"
    message = _("This job cannot be tried again: what it was about has gone, or somebody else was faster.")
    what_to_do = _("Dismiss it.")


def job_failed(*, task: str, arguments: list[Any], error: BaseException) -> None:
    """Note a failure for good. Never raises: whoever calls has a failure already."""
    try:
        job_note(
            task=task,
            arguments=arguments,
            error=type(error).__name__,
            text=masked(label_of(str(error), ERROR_MAX_CHARACTERS)),
        )
    except Exception:
        logger.exception("failed_job_not_noted", task=task)


def job_note(*, task: str, arguments: list[Any], error: str, text: str) -> None:
    """One open row per task and arguments, which counts."""
    values = {"error": error[:100], "text": text, "instance": settings.INSTANCE, "at": timezone.now()}
    same = FailedJob.objects.open().filter(task=task, arguments=arguments)
    if same.update(attempts=F("attempts") + 1, **values):
        return
    try:
        with transaction.atomic():
            FailedJob.objects.create(task=task, arguments=arguments, **values)
    except IntegrityError:
        # Another worker noted the same in between.
        same.update(attempts=F("attempts") + 1, **values)


def job_retry(*, job_id: int, by: str) -> FailedJob:
    """Try it again: what it was about is put back where a worker takes it from. Raises JobGoneError."""
    with transaction.atomic():
        if not FailedJob.objects.settle(job_id, JobState.RETRIED, by=by):
            raise JobGoneError
        job = FailedJob.objects.get(pk=job_id)
        _PUT_BACK.get(job.task, _leave)(job)
        enqueue(job.task, *job.arguments)
    logger.info("failed_job_retried", task=job.task, by=by)
    return job


def job_dismiss(*, job_id: int, by: str) -> bool:
    """Let it be; False when somebody dealt with it already."""
    return FailedJob.objects.settle(job_id, JobState.DISMISSED, by=by)


def _put_back_file(job: FailedJob) -> None:
    """A refused file goes back to processing if all its bytes are still in staging. One conditional UPDATE decides."""
    file_id = job.arguments[0]
    files = File.objects.filter(pk=file_id, state=FileState.REJECTED, reason=GAVE_UP)
    whole = Upload.objects.filter(file_id=file_id, offset=F("length"))
    has_bytes = whole.filter(parts__isnull=False) | whole.filter(partials__parts__isnull=False)
    if File.objects.filter(pk=file_id, state=FileState.PROCESSING).exists():
        return
    if not files.filter(upload__in=has_bytes.values("pk")).update(
        state=FileState.PROCESSING,
        arrived_at=timezone.now(),
        reason="",
        trouble="",
        attempts=0,
        claim_token=None,
        claimed_until=None,
    ):
        raise JobGoneError
    # Room is kept for it again, and nobody collects its parts.
    Upload.objects.filter(file_id=file_id).update(staged=True, reserved=F("length"))
    transfer_changed(File.objects.values_list("transfer_id", flat=True).get(pk=file_id))


def _put_back_mails(job: FailedJob) -> None:
    failed = LinkMail.objects.filter(transfer=job.arguments[0], state=MailState.FAILED)
    if not failed.update(
        state=MailState.WAITING, reason="", attempts=0, claim_token=None, claimed_until=None
    ):
        raise JobGoneError


def _leave(job: FailedJob) -> None:
    """Other tasks find out by themselves what there is to do."""


_PUT_BACK: dict[str, Callable[[FailedJob], None]] = {
    PROCESS_FILE: _put_back_file,
    SEND_MAILS: _put_back_mails,
}


def gave_up_find(*, most: int = 500) -> int:
    """Note rows that were given up without a task that failed: files and mails; returns how many are new.

    The rows are the truth, so nothing is missed when a message is. One that was dismissed is not noted again.
    """
    files = File.objects.filter(state=FileState.REJECTED, reason=GAVE_UP).order_by("-created_at")[:most]
    mails = LinkMail.objects.filter(state=MailState.FAILED).order_by("-created_at")[:most]
    found = {(PROCESS_FILE, str(file.pk)): file.trouble or file.reason for file in files}
    found |= {(SEND_MAILS, str(mail.transfer_id)): mail.reason for mail in mails}
    return sum(_note_once(task, argument, text) for (task, argument), text in found.items())


def _note_once(task: str, argument: str, text: str) -> bool:
    known = FailedJob.objects.filter(task=task, arguments=[argument]).exclude(state=JobState.RETRIED)
    if known.exists():
        return False
    job_note(task=task, arguments=[argument], error="GaveUp", text=text)
    return True


def tasks_known() -> list[str]:
    """The names of tasks that can be tried again."""
    return sorted(name for name in import_string(settings.CELERY_APP).tasks if not name.startswith("celery."))
