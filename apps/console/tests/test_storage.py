"""What the store holds: added up by a worker, shown from what it added up."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.console.models import Stock
from apps.console.stocktaking import KEPT, stock_take
from apps.transfers.rules import FileState
from apps.transfers.tests.cast import Sent
from apps.uploads.models import Upload

PAGE = "/admin/console/storage/"


@pytest.fixture
def stocked(alice: User, send: Callable[..., Sent], store_root: Any) -> Stock:
    sent = send(owner=alice, title="Films")
    for name, size, state in (("a", 3000, FileState.READY), ("b", 500, FileState.REJECTED)):
        file = sent.add(name, state, size=size)
        Upload.objects.create(
            file=file, transfer=sent.transfer, owner=alice, length=size, reserved=size,
            expires_at=timezone.now() + timedelta(hours=1),
        )  # fmt: skip
    return stock_take()


def test_a_stock_has_what_there_is_by_state_and_whose_it_is(stocked: Stock, alice: User) -> None:
    assert stocked.used_bytes == 3000
    assert stocked.by_state == {"ready": [1, 3000], "rejected": [1, 500]}
    assert stocked.accounts[0][:3] == [alice.pk, "alice", 3500]
    assert stocked.transfers[0][1:] == ["Films", 1, 3000]
    assert stocked.free_bytes is not None
    assert stocked.free_bytes > 0


def test_old_stocks_are_forgotten(stocked: Stock) -> None:
    Stock.objects.update(at=timezone.now() - KEPT - timedelta(minutes=1))
    stock_take()
    assert Stock.objects.count() == 1


def test_the_page_shows_the_largest_and_how_full_their_quota_is(
    ada: Client, stocked: Stock, settings: Any
) -> None:
    page = ada.get(PAGE).text
    assert "Films" in page
    assert "alice" in page


def test_before_anything_was_counted_the_page_says_so(ada: Client) -> None:
    assert "it has not counted yet" in ada.get(PAGE).text


def test_the_page_adds_up_nothing(ada: Client, stocked: Stock, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(5) as seen:
        ada.get(PAGE)
    assert not any("SUM(" in query["sql"].upper() for query in seen.captured_queries)


def test_a_store_that_is_nearly_full_is_said_on_the_dashboard(ada: Client, stocked: Stock) -> None:
    Stock.objects.update(free_bytes=10, used_bytes=10**12)
    assert "The store is nearly full" in ada.get("/admin/console/dashboard/").text


def test_staff_without_the_right_does_not_see_it(sam: Callable[..., Client]) -> None:
    assert sam("console.view_fleet").get(PAGE).status_code == 403
