"""Failed jobs: noted once and counted, tried again where that is possible, dismissed, and never twice by two people."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery import Celery, shared_task
from django.conf import settings as site
from django.db import connection
from django.test import Client
from django.utils import timezone
from django.utils.module_loading import import_string

from apps.console.jobs import (
    PROCESS_FILE,
    SEND_MAILS,
    JobGoneError,
    gave_up_find,
    job_dismiss,
    job_failed,
    job_note,
    job_retry,
)
from apps.console.models import AuditEntry, FailedJob
from apps.processing.services import GAVE_UP
from apps.transfers.models import File, LinkMail
from apps.transfers.rules import FileState, MailState
from apps.transfers.tests.cast import Sent
from apps.uploads.models import Part, Upload

LIST = "/admin/console/failedjob/"
Doorbell = Callable[[], list[tuple[str, Any]]]


def note(task: str = "processing.discard", *arguments: Any, text: str = "the disk is gone") -> FailedJob:
    job_note(task=task, arguments=list(arguments), error="StoreError", text=text)
    return FailedJob.objects.open().get(task=task, arguments=list(arguments))


@pytest.fixture
def given_up(sent: Sent) -> File:
    """A file that was tried too often, with its parts still in staging."""
    file = sent.add("tape.wav", FileState.REJECTED, reason=GAVE_UP, attempts=6, size=10)
    upload = Upload.objects.create(
        file=file, length=10, offset=10, staged=False, expires_at=timezone.now() + timedelta(hours=1)
    )
    Part.objects.create(upload=upload, offset=0, size=10, key="0-abc")
    return file


def test_the_same_job_that_fails_again_is_one_row_that_counts(db: None) -> None:
    note("a.b", 1)
    note("a.b", 1, text="again")
    note("a.b", 2)
    assert sorted(FailedJob.objects.values_list("arguments", "attempts", "text")) == [
        ([1], 2, "again"),
        ([2], 1, "the disk is gone"),
    ]


@pytest.mark.django_db(transaction=True)
def test_workers_that_note_the_same_failure_at_once_make_one_row() -> None:
    gate = threading.Barrier(6)

    def work() -> None:
        gate.wait(10)
        try:
            job_note(task="a.b", arguments=[1], error="X", text="")
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert FailedJob.objects.get().attempts == 6


def test_a_task_that_raises_in_a_worker_is_noted_with_its_reason(db: None) -> None:
    @shared_task(name="console.test_failure")
    def fail(number: int) -> None:
        raise ValueError(f"no {number}")

    app: Celery = import_string(site.CELERY_APP)
    app.tasks["console.test_failure"].apply(args=(7,))
    job = FailedJob.objects.get()
    assert (job.task, job.arguments, job.error, job.text) == (
        "console.test_failure",
        [7],
        "ValueError",
        "no 7",
    )


def test_links_are_masked_in_what_is_kept_of_a_failure(db: None) -> None:
    job_failed(task="a.b", arguments=[], error=ValueError("/t/AAAAAAAAAAAAAAAAAAAAAA"))
    assert FailedJob.objects.get().text == "/t/***"


def test_a_failure_that_cannot_be_noted_hurts_nobody_and_is_said(
    db: None, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    job_failed(task="a.b", arguments=[object()], error=ValueError("x"))
    assert "failed_job_not_noted" in caplog.text + capsys.readouterr().err


@pytest.mark.django_db(transaction=True)
def test_a_job_that_is_tried_again_is_given_to_a_worker_and_noted_as_such(doorbell: Doorbell) -> None:
    job = job_retry(job_id=note("processing.discard", {"blob_keys": []}).pk, by="ada")
    assert doorbell() == [("processing.discard", [{"blob_keys": []}])]
    assert (job.state, job.settled_by) == ("retried", "ada")


@pytest.mark.django_db(transaction=True)
def test_a_file_that_was_given_up_goes_back_to_processing(given_up: File, doorbell: Doorbell) -> None:
    assert gave_up_find() == 1
    job_retry(job_id=FailedJob.objects.get().pk, by="ada")
    given_up.refresh_from_db()
    assert (given_up.state, given_up.reason, given_up.attempts) == ("processing", "", 0)
    assert given_up.arrived_at is not None, "it waits from now on"
    assert timezone.now() - given_up.arrived_at < timedelta(minutes=1)
    upload = Upload.objects.get(file=given_up)
    assert (upload.staged, upload.reserved) == (True, 10)
    assert doorbell() == [(PROCESS_FILE, [str(given_up.pk)])]


def test_a_file_that_was_given_up_says_what_was_wrong_when_it_was_last_tried(given_up: File) -> None:
    File.objects.update(trouble="a part is gone")
    gave_up_find()
    assert FailedJob.objects.get().text == "a part is gone"
    job_retry(job_id=FailedJob.objects.get().pk, by="ada")
    given_up.refresh_from_db()
    assert given_up.trouble == ""


def test_a_file_whose_parts_are_gone_is_not_tried_again(given_up: File) -> None:
    gave_up_find()
    Part.objects.all().delete()
    with pytest.raises(JobGoneError):
        job_retry(job_id=FailedJob.objects.get().pk, by="ada")
    assert FailedJob.objects.get().state == "failed"


def test_a_file_that_was_refused_for_what_it_is_is_no_failed_job(sent: Sent) -> None:
    sent.add(state=FileState.REJECTED, reason="Its checksum is not the one the sender gave.")
    assert gave_up_find() == 0


def test_a_file_that_is_gone_is_not_tried_again(db: None) -> None:
    with pytest.raises(JobGoneError):
        job_retry(job_id=note(PROCESS_FILE, str(uuid.uuid4())).pk, by="ada")


def test_what_was_found_is_not_found_again_nor_after_it_was_dismissed(given_up: File) -> None:
    assert gave_up_find() == 1
    assert gave_up_find() == 0
    job_dismiss(job_id=FailedJob.objects.get().pk, by="ada")
    assert gave_up_find() == 0


def test_what_fails_again_after_it_was_tried_again_is_found_again(given_up: File) -> None:
    gave_up_find()
    job_retry(job_id=FailedJob.objects.get().pk, by="ada")
    File.objects.filter(pk=given_up.pk).update(state=FileState.REJECTED, reason=GAVE_UP)
    assert gave_up_find() == 1
    assert FailedJob.objects.open().count() == 1


def test_mails_that_failed_are_found_and_wait_again_when_tried_again(sent: Sent) -> None:
    mail = LinkMail.objects.create(
        transfer=sent.transfer, address="bob@example.com", state=MailState.FAILED, reason="no such host"
    )
    gave_up_find()
    job = FailedJob.objects.get()
    assert (job.task, job.arguments, job.text) == (SEND_MAILS, [str(sent.transfer.pk)], "no such host")
    job_retry(job_id=job.pk, by="ada")
    mail.refresh_from_db()
    assert (mail.state, mail.reason) == (MailState.WAITING, "")


@pytest.mark.django_db(transaction=True)
def test_of_two_who_try_again_at_once_one_is_told_that_it_is_done(doorbell: Doorbell) -> None:
    job, gate, told = note(), threading.Barrier(2), list[str]()

    def work() -> None:
        gate.wait(10)
        try:
            job_retry(job_id=job.pk, by="ada")
            told.append("done")
        except JobGoneError:
            told.append("gone")
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(told) == ["done", "gone"]
    assert len(doorbell()) == 1


def test_the_list_shows_why_a_job_failed_and_offers_to_try_again(ada: Client) -> None:
    job = note()
    page = ada.get(LIST).text
    assert "the disk is gone" in page
    assert f'href="{LIST}{job.pk}/retry/"' in page


def test_the_button_asks_first_and_then_tries_again(ada: Client) -> None:
    job = note()
    assert "given to a worker once more" in ada.get(f"{LIST}{job.pk}/retry/").text
    assert "It is tried again." in ada.post(f"{LIST}{job.pk}/retry/", follow=True).text
    assert AuditEntry.objects.filter(code="job_retried", who="ada").count() == 1


def test_a_job_that_cannot_be_tried_again_says_so(ada: Client) -> None:
    job = note(PROCESS_FILE, str(uuid.uuid4()))
    assert "cannot be tried again" in ada.post(f"{LIST}{job.pk}/retry/", follow=True).text
    assert not AuditEntry.objects.filter(code="job_retried").exists()


def test_several_are_dismissed_at_once(ada: Client) -> None:
    jobs = [note("a.b", number) for number in range(3)]
    ada.post(LIST, {"action": "dismiss_chosen", "_selected_action": [job.pk for job in jobs]})
    assert not FailedJob.objects.open().exists()
    assert AuditEntry.objects.filter(code="job_dismissed").count() == 3


def test_staff_without_the_right_deals_with_none(sam: Callable[..., Client]) -> None:
    job, browser = note(), sam("console.view_failedjob")
    assert browser.post(f"{LIST}{job.pk}/retry/").status_code == 403
    assert browser.post(f"{LIST}{job.pk}/dismiss/").status_code == 403
    browser.post(LIST, {"action": "dismiss_chosen", "_selected_action": [job.pk]})
    assert FailedJob.objects.open().exists()
