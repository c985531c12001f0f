"""Blocks: who is blocked makes nothing new, by whatever way; who is not, does."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.common.errors import InvalidInputError
from apps.throttling.blocking import SenderBlockedError, block_check, block_create, block_lift
from apps.throttling.models import Block
from apps.transfers.models import Transfer
from apps.uploads.models import Upload

MALLORY = "203.0.113.9"


@pytest.fixture
def account(db: None) -> User:
    return User.objects.create_user("mallory")


def block(**who: Any) -> Block:
    return block_create(**{"shown": "mallory", "reason": "malware", "by": "ada", **who})


def test_a_blocked_account_is_refused_from_anywhere(account: User) -> None:
    block(account_id=account.pk)
    with pytest.raises(SenderBlockedError):
        block_check(account_id=account.pk, address="198.51.100.1")


def test_a_blocked_address_is_refused_whoever_is_signed_in(account: User) -> None:
    block(address=MALLORY)
    with pytest.raises(SenderBlockedError):
        block_check(account_id=account.pk, address=MALLORY)


def test_others_pass(account: User) -> None:
    block(address=MALLORY)
    block_check(account_id=account.pk, address="198.51.100.1")
    block_check(account_id=None, address="")


def test_a_block_ends_by_itself(account: User) -> None:
    made = block(account_id=account.pk, until=timezone.now() + timedelta(hours=1))
    Block.objects.filter(pk=made.pk).update(until=timezone.now() - timedelta(seconds=1))
    block_check(account_id=account.pk, address="")


def test_a_lifted_block_holds_nobody(account: User) -> None:
    made = block(account_id=account.pk)
    assert block_lift(block_id=made.pk, by="ada")
    assert not block_lift(block_id=made.pk, by="ada")
    block_check(account_id=account.pk, address="")


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": " ", "address": MALLORY},
        {},
        {"address": MALLORY, "account_id": 1},
        {"address": MALLORY, "until": timezone.now() - timedelta(days=1)},
    ],
)
def test_a_block_needs_a_reason_and_one_who_is_blocked_and_a_time_to_come(
    db: None, wrong: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInputError):
        block(**wrong)


def test_the_address_itself_is_not_kept(db: None) -> None:
    made = block(address=MALLORY)
    assert MALLORY not in (made.address_digest, made.shown)


@pytest.fixture
def mallory(db: None) -> Client:
    block(address=MALLORY)
    return Client(headers={"X-Forwarded-For": MALLORY})


def test_a_blocked_sender_makes_no_transfer(mallory: Client) -> None:
    answer = mallory.post("/transfers/", "{}", content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "sender_blocked")
    assert not Transfer.objects.exists()


def test_a_blocked_sender_puts_no_file(mallory: Client, store_root: Any) -> None:
    answer = mallory.put("/a.bin", b"abc", content_type="application/octet-stream")
    assert answer.status_code == 403
    assert not Transfer.objects.exists()


def tus(browser: Client, metadata: str) -> Any:
    return browser.post(
        "/files/",
        b"",
        content_type="application/offset+octet-stream",
        headers={"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Metadata": metadata},
    )


def test_a_blocked_sender_makes_no_upload(mallory: Client, store_root: Any) -> None:
    answer = tus(mallory, "filename YS5iaW4=")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "sender_blocked")
    assert not Upload.objects.exists()


def test_a_blocked_sender_adds_nothing_to_a_transfer_made_before(mallory: Client, store_root: Any) -> None:
    from base64 import b64encode

    from apps.transfers.services import transfer_create

    _, secret = transfer_create(owner=None)
    answer = tus(mallory, f"filename YS5iaW4=,transfer {b64encode(secret.encode()).decode()}")
    assert answer.status_code == 403
    assert not Upload.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_from_the_moment_that_a_block_is_told_nothing_more_is_made() -> None:
    made, told = list[bool](), threading.Event()
    after = list[int]()

    def create() -> None:
        browser = Client(headers={"X-Forwarded-For": MALLORY})
        try:
            for _ in range(12):
                was_told = told.is_set()
                status = browser.post("/transfers/", "{}", content_type="application/json").status_code
                made.append(status == 201)
                if was_told:
                    after.append(status)
            while not after:
                after.append(browser.post("/transfers/", "{}", content_type="application/json").status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=create) for _ in range(3)]
    for thread in threads:
        thread.start()
    block(address=MALLORY)
    told.set()
    for thread in threads:
        thread.join(30)
    assert set(after) == {403}
