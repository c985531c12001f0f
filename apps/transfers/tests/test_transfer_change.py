"""What a sender changes later: each choice, each refusal, and what others do at the same moment."""

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import check_password
from django.utils import timezone

from apps.common.errors import NotFoundError
from apps.transfers.changing import transfer_change
from apps.transfers.errors import InvalidTransferError, TransferExpiredError, TransferTakenDownError
from apps.transfers.models import File, Transfer
from apps.transfers.services import download_authorise, transfer_delete
from apps.transfers.tests.together import together

pytestmark = pytest.mark.django_db


def fresh(sent):
    return Transfer.objects.get(pk=sent.transfer.pk)


def test_title_and_message_are_cleaned_and_stored(sent):
    transfer_change(transfer=sent.transfer, title=" New\tname ", message="one\r\ntwo ")
    assert (fresh(sent).title, fresh(sent).message) == ("New name", "one\ntwo")


def test_what_is_not_named_stays_as_it_is(send):
    sent = send(title="Holiday", password="sesame", download_limit=5, notify_on_download=True)
    before = fresh(sent)
    transfer_change(transfer=sent.transfer, message="new")
    after = fresh(sent)
    for name in ("title", "password", "download_limit", "notify_on_download", "expires_at"):
        assert getattr(after, name) == getattr(before, name)


def test_a_password_is_set_and_its_hash_is_stored(sent):
    transfer_change(transfer=sent.transfer, password="sesame")
    assert check_password("sesame", fresh(sent).password)


def test_an_empty_password_removes_it(send):
    sent = send(password="sesame")
    transfer_change(transfer=sent.transfer, password="")
    assert fresh(sent).password == ""


def test_another_password_takes_the_grants_of_the_first_away(send):
    sent = send(password="sesame")
    before = fresh(sent).grant
    transfer_change(transfer=sent.transfer, password="sesame")
    assert fresh(sent).grant != before


def test_a_limit_is_set_and_taken_away(sent):
    transfer_change(transfer=sent.transfer, download_limit=3)
    assert fresh(sent).download_limit == 3
    transfer_change(transfer=sent.transfer, download_limit=None)
    assert fresh(sent).download_limit is None


def test_an_expiry_is_moved_by_days_and_to_a_moment(sent):
    transfer_change(transfer=sent.transfer, expires_days=2)
    assert timedelta(days=1) < fresh(sent).expires_at - timezone.now() <= timedelta(days=2)
    moment = timezone.now() + timedelta(hours=5)
    transfer_change(transfer=sent.transfer, expires_at=moment)
    assert fresh(sent).expires_at == moment


def test_the_two_wishes_about_downloads_are_switched(sent):
    transfer_change(transfer=sent.transfer, delete_after_download=True, notify_on_download=True)
    assert fresh(sent).delete_after_download
    assert fresh(sent).notify_on_download
    transfer_change(transfer=sent.transfer, delete_after_download=False, notify_on_download=False)
    assert not fresh(sent).delete_after_download
    assert not fresh(sent).notify_on_download


def test_a_closed_transfer_can_be_changed_and_stays_closed(sent):
    sent.change(closed_at=timezone.now())
    transfer_change(transfer=sent.transfer, title="New")
    assert fresh(sent).closed_at
    assert fresh(sent).title == "New"


def test_nothing_to_change_asks_the_database_nothing(sent, django_assert_num_queries):
    with django_assert_num_queries(0):
        transfer_change(transfer=sent.transfer)


def test_a_limit_equal_to_the_downloads_made_is_taken(send):
    sent = send()
    sent.change(download_count=4)
    transfer_change(transfer=sent.transfer, download_limit=4)
    assert fresh(sent).download_limit == 4


def test_a_limit_below_the_downloads_made_is_refused_with_their_number(send):
    sent = send()
    Transfer.objects.filter(pk=sent.transfer.pk).update(download_count=4)  # behind the page's back
    with pytest.raises(InvalidTransferError, match="There were 4 downloads already") as refused:
        transfer_change(transfer=sent.transfer, download_limit=3, title="New")
    assert refused.value.data == {"field": "download_limit"}
    assert fresh(sent).title == ""


@pytest.mark.parametrize(
    ("choice", "field"),
    [
        ({"title": "x" * 201}, "title"),
        ({"message": "x" * 5001}, "message"),
        ({"password": "x" * 201}, "password"),
        ({"download_limit": 0}, "download_limit"),
        ({"expires_days": 31}, "expires_days"),
        ({"expires_at": timezone.now() - timedelta(minutes=1)}, "expires_at"),
    ],
)
def test_a_wrong_choice_is_refused_by_name(sent, choice, field):
    with pytest.raises(InvalidTransferError) as refused:
        transfer_change(transfer=sent.transfer, **choice)
    assert refused.value.data["field"] == field


def test_an_expired_transfer_cannot_be_changed_not_even_to_live_longer(sent):
    Transfer.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(TransferExpiredError):
        transfer_change(transfer=sent.transfer, expires_days=5)


def test_a_transfer_that_staff_took_down_cannot_be_changed(sent):
    Transfer.objects.update(taken_down_at=timezone.now())
    with pytest.raises(TransferTakenDownError):
        transfer_change(transfer=sent.transfer, title="New")


def test_a_transfer_that_was_removed_meanwhile_is_not_found(sent):
    transfer_delete(transfer=Transfer.objects.get())
    with pytest.raises(NotFoundError):
        transfer_change(transfer=sent.transfer, title="New")


@pytest.mark.django_db(transaction=True)
def test_downloads_and_a_lower_limit_at_once_never_pass_each_other(send):
    """Whichever comes first: there are never more downloads than the limit that stands."""
    for _ in range(5):
        sent = send(download_limit=10)
        sent.add()
        loaded = File.objects.select_related("transfer").get(transfer=sent.transfer)

        def work(number, sent=sent, loaded=loaded):
            if number == 0:
                return transfer_change(transfer=sent.transfer, download_limit=4)
            return download_authorise(file=loaded, client=str(number), starts_over=True)

        together(13, work)
        now = fresh(sent)
        assert now.download_count <= now.download_limit
        assert now.download_count in range(4, 11)
