"""What was sent from a browser becomes an account's: rows, room, and two who claim at once."""

import pytest

from apps.accounts.models import User
from apps.transfers.claiming import transfers_claim
from apps.transfers.errors import ClaimTooLargeError
from apps.transfers.models import Transfer
from apps.transfers.tests.together import together
from apps.uploads.rules import Metadata
from apps.uploads.services import upload_create

pytestmark = pytest.mark.django_db
BROWSER, OTHER = "a" * 22, "b" * 22


def arrive(sent, length):
    return upload_create(
        transfer=sent.transfer, length=length, metadata=Metadata("a.bin"), address="192.0.2.1"
    )


def test_all_of_the_browsers_transfers_become_the_accounts(send, alice):
    send(browser=BROWSER)
    send(browser=BROWSER)
    assert transfers_claim(user=alice, browser=BROWSER) == 2
    assert {transfer.owner for transfer in Transfer.objects.all()} == {alice}
    assert not Transfer.objects.of_browser(BROWSER).exists()


def test_what_another_browser_sent_stays_where_it_is(send, alice):
    other = send(browser=OTHER)
    assert transfers_claim(user=alice, browser=BROWSER) == 0
    other.transfer.refresh_from_db()
    assert other.transfer.owner is None


def test_what_has_an_owner_is_never_claimed(send, alice):
    bob = User.objects.create_user("bob")
    sent = send(browser=BROWSER)
    sent.change(owner=bob)
    assert transfers_claim(user=alice, browser=BROWSER) == 0
    sent.transfer.refresh_from_db()
    assert sent.transfer.owner == bob


def test_claiming_again_takes_nothing(send, alice):
    send(browser=BROWSER)
    transfers_claim(user=alice, browser=BROWSER)
    assert transfers_claim(user=alice, browser=BROWSER) == 0


def test_the_room_is_the_accounts_from_then_on(send, alice, store_root):
    upload = arrive(send(browser=BROWSER), 1000)
    assert upload.address
    transfers_claim(user=alice, browser=BROWSER)
    upload.refresh_from_db()
    assert (upload.owner, upload.address) == (alice, "")


def test_more_than_the_accounts_quota_is_refused_and_nothing_is_taken(send, alice, store_root):
    alice.quota_bytes = 1500
    alice.save()
    uploads = [arrive(send(browser=BROWSER), 1000), arrive(send(browser=BROWSER), 1000)]
    with pytest.raises(ClaimTooLargeError) as refused:
        transfers_claim(user=alice, browser=BROWSER)
    assert refused.value.data == {"max_bytes": 1500}
    assert Transfer.objects.of_browser(BROWSER).count() == 2
    uploads[0].refresh_from_db()
    assert uploads[0].owner is None


def test_the_sites_quota_counts_where_the_account_has_none_of_its_own(send, alice, store_root, settings):
    settings.MAX_ACCOUNT_BYTES = 500
    arrive(send(browser=BROWSER), 1000)
    with pytest.raises(ClaimTooLargeError):
        transfers_claim(user=alice, browser=BROWSER)


@pytest.mark.django_db(transaction=True)
def test_of_two_accounts_that_claim_at_once_each_transfer_goes_to_one(send, alice, store_root):
    bob = User.objects.create_user("bob")
    uploads = [arrive(send(browser=BROWSER), 10) for _ in range(10)]
    taken = together(2, lambda number: transfers_claim(user=(alice, bob)[number], browser=BROWSER))
    assert sorted(taken) == [0, 10]
    winner = (alice, bob)[taken.index(10)]
    assert set(Transfer.objects.values_list("owner", flat=True)) == {winner.pk}
    for upload in uploads:
        upload.refresh_from_db()
        assert upload.owner == winner
