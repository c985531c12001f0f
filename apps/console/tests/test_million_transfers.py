"""Every list of the console, with a million transfers: which indexes it reads, and how much of them."""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.console.admin.exporting import CHUNK_ROWS, chunks
from apps.console.tests.million import MOST_READ, ROWS, empty, explained, fill
from apps.transfers.models import File, Transfer

TRANSFERS, FILES, UPLOADS = (
    "/admin/transfers/transfer/",
    "/admin/transfers/file/",
    "/admin/uploads/upload/",
)
PAGES = [
    (TRANSFERS, {}),
    (TRANSFERS, {"p": 150}),
    (TRANSFERS, {"o": "9"}),  # when they expire, the first first
    (TRANSFERS, {"o": "-9"}),
    (TRANSFERS, {"link": "works"}),
    (TRANSFERS, {"link": "expired"}),
    (TRANSFERS, {"link": "closed"}),
    (TRANSFERS, {"link": "taken-down"}),
    (TRANSFERS, {"q": "holiday"}),
    (TRANSFERS, {"q": "holiday 400004"}),
    (TRANSFERS, {"q": "backup_123"}),
    (TRANSFERS, {"q": "user7"}),
    (TRANSFERS, {"q": "user7@example.com"}),
    (TRANSFERS, {"q": "no such thing"}),
    (FILES, {}),
    (FILES, {"p": 150}),
    (FILES, {"state__exact": "ready"}),
    (FILES, {"state__exact": "rejected"}),
    (FILES, {"state__exact": "uploading"}),
    (FILES, {"q": "letter 77"}),
    (FILES, {"q": "f" * 64}),
    (UPLOADS, {}),
    (UPLOADS, {"arrival": "waiting"}),
    (UPLOADS, {"arrival": "held"}),
    (UPLOADS, {"q": "film"}),
    ("/admin/", {}),
    ("/admin/console/storage/", {}),
]


@pytest.fixture(scope="module")
def million(django_db_setup: None, django_db_blocker: Any) -> Iterator[float]:
    """The tables, full; emptied again afterwards."""
    with django_db_blocker.unblock():
        seconds = fill()
        User.objects.create_superuser("million", "million@example.com", "correct horse")
        yield seconds
        empty()


@pytest.fixture
def ada(million: float, db: None) -> Client:
    """The administrator's browser. Not the cast's own: the accounts are those of the million."""
    browser = Client()
    browser.force_login(User.objects.get(username="million"))
    return browser


def test_the_tables_are_full(million: float, db: None) -> None:
    assert (Transfer.objects.count(), File.objects.count()) == (ROWS, ROWS)


@pytest.mark.parametrize(("page", "query"), PAGES)
def test_a_list_reads_indexes_and_not_much_of_them(ada: Client, page: str, query: dict[str, Any]) -> None:
    with explained() as seen:
        assert ada.get(page, query).status_code == 200
    assert seen.scans() == []
    rows, what = seen.most_read() if seen.plans else (0, "")
    assert rows <= MOST_READ, what


def test_an_exports_chunk_begins_where_the_last_one_ended_without_reading_it_again(ada: Client) -> None:
    with explained() as seen:
        found = [row.pk for chunk in islice(chunks(Transfer.objects.all(), "created_at"), 5) for row in chunk]
    assert len(set(found)) == 5 * CHUNK_ROWS
    assert seen.scans() == []
    assert seen.most_read()[0] <= CHUNK_ROWS + 1


def test_an_export_of_a_filtered_list_has_those_rows_and_no_others(ada: Client) -> None:
    answer: Any = ada.post(f"{TRANSFERS}export/?link=taken-down")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert len(rows) == ROWS // 10_000
    assert {row["link"] for row in rows} == {"taken-down"}
