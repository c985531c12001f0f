"""A link that its sender closes and opens again."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.common.errors import NotFoundError
from apps.transfers.changing import transfer_close, transfer_open
from apps.transfers.errors import TransferClosedError, TransferExpiredError, TransferTakenDownError
from apps.transfers.models import File, Transfer
from apps.transfers.services import download_authorise, link_check, transfer_delete

pytestmark = pytest.mark.django_db


def test_a_closed_link_opens_for_nobody_and_its_files_stay(sent):
    file = sent.add()
    transfer_close(transfer=sent.transfer)
    with pytest.raises(TransferClosedError):
        link_check(transfer=Transfer.objects.get())
    with pytest.raises(TransferClosedError):
        download_authorise(file=File.objects.select_related("transfer").get(), client="bob", starts_over=True)
    assert File.objects.filter(pk=file.pk).exists()


def test_closing_twice_keeps_the_first_moment(sent):
    transfer_close(transfer=sent.transfer)
    first = Transfer.objects.get().closed_at
    transfer_close(transfer=Transfer.objects.get())
    assert Transfer.objects.get().closed_at == first


def test_an_opened_link_opens_again(sent):
    transfer_close(transfer=sent.transfer)
    transfer_open(transfer=sent.transfer)
    link_check(transfer=Transfer.objects.get())


def test_opening_an_open_link_is_no_error(sent):
    transfer_open(transfer=sent.transfer)
    link_check(transfer=Transfer.objects.get())


def test_an_expired_link_cannot_be_opened(sent):
    sent.change(closed_at=timezone.now(), expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(TransferExpiredError):
        transfer_open(transfer=sent.transfer)


def test_a_link_that_staff_took_down_cannot_be_opened_by_its_sender(sent):
    Transfer.objects.update(taken_down_at=timezone.now())
    with pytest.raises(TransferTakenDownError):
        transfer_open(transfer=sent.transfer)


@pytest.mark.parametrize("act", [transfer_close, transfer_open])
def test_a_transfer_that_is_gone_is_not_found(sent, act):
    transfer_delete(transfer=Transfer.objects.get())
    with pytest.raises(NotFoundError):
        act(transfer=sent.transfer)
