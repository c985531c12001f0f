"""Take down, restore, and the end of what nobody restored: what staff does to other people's transfers."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.processing.services import transfers_expire
from apps.transfers.errors import InvalidTransferError, TransferTakenDownError
from apps.transfers.models import File, Transfer
from apps.transfers.moderating import (
    AlreadyTakenDownError,
    NotTakenDownError,
    taken_down_purge,
    transfer_restore,
    transfer_take_down,
)
from apps.transfers.rules import FileState
from apps.transfers.services import link_check
from apps.transfers.tests.cast import Sent
from apps.uploads.expiring import uploads_expire
from apps.uploads.models import Upload

Doorbell = Callable[[], list[tuple[str, Any]]]


def take_down(sent: Sent, **changes: Any) -> None:
    transfer_take_down(transfer_id=sent.transfer.pk, reason="malware")
    sent.change(**changes)


def long_ago(settings: Any) -> Any:
    return timezone.now() - timedelta(days=settings.TAKEDOWN_KEEP_DAYS, minutes=1)


def test_what_is_taken_down_opens_for_nobody_and_says_why_to_staff(sent: Sent) -> None:
    take_down(sent)
    assert sent.transfer.take_down_reason == "malware"
    with pytest.raises(TransferTakenDownError):
        link_check(transfer=sent.transfer)


@pytest.mark.parametrize("reason", ["", "   "])
def test_nothing_is_taken_down_without_a_reason(sent: Sent, reason: str) -> None:
    with pytest.raises(InvalidTransferError):
        transfer_take_down(transfer_id=sent.transfer.pk, reason=reason)
    sent.transfer.refresh_from_db()
    assert sent.transfer.taken_down_at is None


def test_what_is_taken_down_is_not_taken_down_again(sent: Sent) -> None:
    take_down(sent)
    with pytest.raises(AlreadyTakenDownError):
        transfer_take_down(transfer_id=sent.transfer.pk, reason="spam")
    sent.transfer.refresh_from_db()
    assert sent.transfer.take_down_reason == "malware"


def test_a_restored_link_has_as_long_to_live_as_it_had(sent: Sent) -> None:
    left = sent.transfer.expires_at - timezone.now()
    take_down(sent)
    # It was taken down five days ago, when there were as many days left as now.
    sent.change(
        taken_down_at=timezone.now() - timedelta(days=5),
        expires_at=sent.transfer.expires_at - timedelta(days=5),
    )
    transfer_restore(transfer_id=sent.transfer.pk)
    sent.transfer.refresh_from_db()
    assert sent.transfer.taken_down_at is None
    assert sent.transfer.take_down_reason == ""
    assert abs(sent.transfer.expires_at - timezone.now() - left) < timedelta(seconds=60)
    link_check(transfer=sent.transfer)


def test_a_link_that_had_expired_before_it_was_taken_down_stays_expired(sent: Sent) -> None:
    before = timezone.now() - timedelta(days=2)
    take_down(sent, expires_at=before)
    transfer_restore(transfer_id=sent.transfer.pk)
    sent.transfer.refresh_from_db()
    assert sent.transfer.expires_at == before


def test_what_is_not_taken_down_cannot_be_restored(sent: Sent) -> None:
    with pytest.raises(NotTakenDownError):
        transfer_restore(transfer_id=sent.transfer.pk)


def test_after_some_days_nothing_is_restored(sent: Sent, settings: Any) -> None:
    take_down(sent, taken_down_at=long_ago(settings))
    with pytest.raises(NotTakenDownError):
        transfer_restore(transfer_id=sent.transfer.pk)


def test_while_it_is_down_expiry_removes_nothing_of_it(sent: Sent) -> None:
    file = sent.add("tape.wav", FileState.UPLOADING)
    past = timezone.now() - timedelta(days=1)
    upload = Upload.objects.create(file=file, transfer=sent.transfer, length=10, expires_at=past)
    take_down(sent, expires_at=past)
    transfers_expire()
    uploads_expire()
    assert File.objects.filter(pk=file.pk).exists()
    assert Upload.objects.filter(pk=upload.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_after_those_days_it_is_removed_with_its_bytes(sent: Sent, settings: Any, doorbell: Doorbell) -> None:
    file = sent.add()
    take_down(sent, taken_down_at=long_ago(settings))
    assert taken_down_purge() == 1
    assert not Transfer.objects.exists()
    assert doorbell() == [("processing.discard", [{"blob_keys": [file.blob_key], "upload_ids": []}])]


def test_what_was_taken_down_lately_is_not_removed(sent: Sent) -> None:
    take_down(sent)
    assert taken_down_purge() == 0
    assert Transfer.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_restore_and_the_removal_at_the_same_moment_never_both_happen(
    send: Callable[..., Sent], settings: Any
) -> None:
    outcomes = set[tuple[bool, bool]]()
    for _ in range(10):
        sent = send()
        sent.add()
        # The last moment at which it may be restored is now.
        take_down(
            sent, taken_down_at=timezone.now() - timedelta(days=settings.TAKEDOWN_KEEP_DAYS, milliseconds=-15)
        )
        outcomes.add(_race(sent))
    assert outcomes <= {(True, True), (False, False)}


def _race(sent: Sent) -> tuple[bool, bool]:
    """(restored, still there)"""
    restored: list[bool] = []
    gate = threading.Barrier(2)

    def restore() -> None:
        gate.wait(10)
        try:
            transfer_restore(transfer_id=sent.transfer.pk)
            restored.append(True)
        except NotTakenDownError:
            restored.append(False)
        finally:
            connection.close()

    def purge() -> None:
        gate.wait(10)
        try:
            for _ in range(30):
                taken_down_purge()
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for work in (restore, purge)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return restored[0], Transfer.objects.filter(pk=sent.transfer.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_down_at_once_one_is_told_that_it_is_done(sent: Sent) -> None:
    gate, told = threading.Barrier(2), list[str]()

    def work(reason: str) -> None:
        gate.wait(10)
        try:
            transfer_take_down(transfer_id=sent.transfer.pk, reason=reason)
            told.append("done")
        except AlreadyTakenDownError:
            told.append("already")
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(reason,)) for reason in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(told) == ["already", "done"]
