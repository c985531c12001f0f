"""The transfer's page in the console: take down, restore, block the sender, and what leads to content."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.console.models import AuditEntry, Report
from apps.console.reporting import report_create
from apps.throttling.address import address_digest
from apps.throttling.blocking import block_create
from apps.throttling.models import Block
from apps.transfers.rules import FileState
from apps.transfers.tests.cast import Sent
from apps.uploads.models import Upload


def act(browser: Client, sent: Sent, what: str, **given: str) -> Any:
    return browser.post(f"/admin/transfers/transfer/{sent.transfer.pk}/{what}/", given, follow=True)


def codes() -> list[str]:
    entries = AuditEntry.objects.exclude(code="staff_signed_in").order_by("at")
    return list(entries.values_list("code", flat=True))


def test_taking_down_asks_first(ada: Client, sent: Sent) -> None:
    page = ada.get(f"/admin/transfers/transfer/{sent.transfer.pk}/take-down/")
    assert "opens for nobody from now on" in page.text
    sent.transfer.refresh_from_db()
    assert sent.transfer.taken_down_at is None


def test_taking_down_closes_the_link_resolves_its_reports_and_is_in_the_log(
    ada: Client, bob: Client, sent: Sent
) -> None:
    report_create(transfer=sent.transfer, reason="malware")
    act(ada, sent, "take-down", reason="it is malware")
    assert bob.get(sent.link).status_code == 410
    assert Report.objects.get().state == "resolved"
    entry = AuditEntry.objects.get(code="transfer_taken_down")
    assert (entry.who, entry.object_id, entry.after) == (
        *("ada", str(sent.transfer.pk)),
        {"reason": "it is malware", "reports": 1},
    )


def test_taking_down_without_a_reason_is_refused_in_words_and_leaves_no_trace(
    ada: Client, sent: Sent
) -> None:
    assert "Say why it is taken down." in act(ada, sent, "take-down", reason=" ").text
    assert codes() == []


def test_a_restored_link_opens_again(ada: Client, bob: Client, sent: Sent) -> None:
    act(ada, sent, "take-down", reason="a mistake")
    act(ada, sent, "restore")
    assert bob.get(sent.link).status_code == 200
    assert codes() == ["transfer_taken_down", "transfer_restored"]


def test_restoring_what_is_not_down_says_so(ada: Client, sent: Sent) -> None:
    assert "is not taken down" in act(ada, sent, "restore").text
    assert codes() == []


@pytest.mark.parametrize("what", ["take-down", "restore", "block-sender"])
def test_staff_without_the_right_does_none_of_it(sam: Callable[..., Client], sent: Sent, what: str) -> None:
    browser = sam("transfers.view_transfer", "transfers.change_transfer")
    assert act(browser, sent, what, reason="because").status_code == 403
    assert codes() == []


def test_blocking_the_sender_of_a_transfer_blocks_the_account(ada: Client, alice: Any, send: Any) -> None:
    act(ada, send(owner=alice), "block-sender", reason="spam", until="2099-01-31")
    block = Block.objects.get()
    assert (block.account, block.by, block.reason) == (alice, "ada", "spam")
    assert block.until is not None
    assert block.until.date().isoformat() == "2099-02-01"
    assert codes() == ["sender_blocked"]


def test_blocking_a_sender_without_an_account_blocks_the_address_it_came_from(
    ada: Client, sent: Sent
) -> None:
    file = sent.add("tape.wav", FileState.UPLOADING)
    digest = address_digest("203.0.113.9")
    Upload.objects.create(
        file=file, transfer=sent.transfer, length=10, address=digest,
        expires_at=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    act(ada, sent, "block-sender", reason="spam")
    assert Block.objects.get().address_digest == digest


def test_a_sender_of_whom_nothing_is_known_cannot_be_blocked(ada: Client, sent: Sent) -> None:
    assert "A block is on an account or on an address." in act(ada, sent, "block-sender", reason="spam").text
    assert codes() == []


def test_content_opens_only_by_way_of_a_page_that_warns(ada: Client, sent: Sent) -> None:
    sent.add("holiday.jpg")
    page = ada.get(f"/admin/transfers/transfer/{sent.transfer.pk}/change/").text
    assert f'href="{sent.link}"' not in page
    assert "/d/" not in page
    warning = f"/admin/console/open/{sent.transfer.pk}/"
    assert f'href="{warning}" target="_blank" rel="noopener noreferrer"' in page
    assert "A stranger made this." in ada.get(warning).text


def test_a_block_is_made_and_lifted_by_hand_and_both_are_in_the_log(ada: Client, alice: Any) -> None:
    made = ada.post(
        "/admin/throttling/block/add/",
        {"account": alice.pk, "address": "", "reason": "spam", "until_0": "", "until_1": ""},
    )
    assert made.status_code == 302, made.text
    block = Block.objects.get()
    assert (block.shown, block.by) == ("alice", "ada")
    ada.post("/admin/throttling/block/", {"action": "lift", "_selected_action": [block.pk]})
    block.refresh_from_db()
    assert block.lifted_by == "ada"
    assert codes() == ["sender_blocked", "sender_unblocked"]


def test_a_block_of_nobody_is_refused_in_words(ada: Client) -> None:
    page = ada.post("/admin/throttling/block/add/", {"account": "", "address": "", "reason": "spam"})
    assert "Name an account or an address, not both." in page.text


@pytest.mark.parametrize("words", ["sender of “Hol", "  sender of ", 'sender of “Holiday” "x'])
def test_blocks_are_found_by_how_their_whole_name_begins_however_many_words_that_has(
    ada: Client, words: str
) -> None:
    block_create(digest="ab" * 32, shown='sender of “Holiday” "x"', reason="spam", by="ada")
    block_create(digest="cd" * 32, shown="sender from elsewhere", reason="spam", by="ada")
    page = ada.get("/admin/throttling/block/", {"q": words})
    assert [block.shown for block in page.context["cl"].result_list] == ['sender of “Holiday” "x"']
