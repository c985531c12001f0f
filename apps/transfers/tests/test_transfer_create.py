"""Checks the service that makes a transfer."""

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import check_password
from django.utils import timezone

from apps.transfers.errors import InvalidTransferError
from apps.transfers.models import Transfer, secret_digest
from apps.transfers.services import transfer_create

pytestmark = pytest.mark.django_db


def test_a_transfer_gets_a_link_and_a_secret_of_its_own():
    (one, first), (two, second) = (transfer_create(owner=None) for _ in range(2))
    assert len({one.token, two.token, first, second}) == 4
    assert min(map(len, (one.token, first))) >= 22


def test_only_the_digest_of_the_secret_is_stored():
    transfer, secret = transfer_create(owner=None)
    stored = Transfer.objects.values().get(pk=transfer.pk)
    assert stored["secret_digest"] == secret_digest(secret)
    assert secret not in map(str, stored.values())


def test_the_owner_is_remembered(alice):
    transfer, _ = transfer_create(owner=alice)
    assert list(alice.transfers.all()) == [transfer]


def test_a_link_lives_for_the_default_unless_chosen(settings):
    settings.TRANSFER_EXPIRES_DAYS = 3
    transfer, _ = transfer_create(owner=None)
    assert abs(transfer.expires_at - timezone.now() - timedelta(days=3)) < timedelta(minutes=1)


def test_a_link_lives_as_long_as_chosen():
    transfer, _ = transfer_create(owner=None, expires_days=2)
    assert abs(transfer.expires_at - timezone.now() - timedelta(days=2)) < timedelta(minutes=1)


def test_a_password_is_stored_as_a_hash():
    transfer, _ = transfer_create(owner=None, password="open sesame")
    assert "sesame" not in transfer.password
    assert check_password("open sesame", transfer.password)


def test_no_password_means_none():
    assert transfer_create(owner=None, password="")[0].password == ""


def test_title_and_message_are_stored_without_hidden_characters():
    transfer, _ = transfer_create(owner=None, title="a\x00\u202eb\nc", message="one\x00\ntwo")
    assert (transfer.title, transfer.message) == ("ab c", "one\ntwo")


@pytest.mark.parametrize(
    ("choice", "field"),
    [
        ({"title": "x" * 201}, "title"),
        ({"message": "x" * 5001}, "message"),
        ({"password": "x" * 201}, "password"),
        ({"password": "\ud800"}, "password"),
        ({"expires_days": 0}, "expires_days"),
        ({"expires_days": -1}, "expires_days"),
        ({"expires_days": 31}, "expires_days"),
        ({"expires_days": 10**30}, "expires_days"),
        ({"download_limit": 0}, "download_limit"),
        ({"download_limit": -5}, "download_limit"),
        ({"download_limit": 10**12}, "download_limit"),
    ],
)
def test_a_choice_out_of_bounds_is_refused_by_name(choice, field):
    with pytest.raises(InvalidTransferError) as refusal:
        transfer_create(owner=None, **choice)
    assert refusal.value.data == {"field": field}
    assert not Transfer.objects.exists()
