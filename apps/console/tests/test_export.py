"""CSV of every list: what was searched for, safe to open in a spreadsheet, logged, a chunk at a time."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.console.admin import exporting
from apps.console.models import AuditEntry
from apps.transfers.tests.cast import Sent

TRANSFERS = "/admin/transfers/transfer/export/"
LISTS = [
    *("transfers/transfer", "transfers/file", "uploads/upload", "accounts/user", "console/report"),
    *(
        "console/auditentry",
        "console/failedjob",
        "throttling/block",
        "transfers/linkmail",
        "transfers/filerequest",
    ),
]


def rows(answer: Any) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_an_export_has_what_the_list_has(ada: Client, sent: Sent) -> None:
    sent.add(size=1000)
    (row,) = rows(ada.post(TRANSFERS))
    assert (row["title"], row["state"], row["files"], row["bytes"]) == ("Holiday", "ready", "1", "1000")


def test_an_export_has_only_what_was_searched_for(ada: Client, send: Callable[..., Sent]) -> None:
    send(title="Holiday")
    send(title="Minutes")
    assert [row["title"] for row in rows(ada.post(f"{TRANSFERS}?q=minutes"))] == ["Minutes"]


def test_a_title_that_a_spreadsheet_would_run_is_text(ada: Client, send: Callable[..., Sent]) -> None:
    send(title="=HYPERLINK(1)")
    assert rows(ada.post(TRANSFERS))[0]["title"] == "'=HYPERLINK(1)"


def test_all_rows_come_once_however_many_chunks_they_are(
    ada: Client, send: Callable[..., Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "CHUNK_ROWS", 3)
    first = send()
    for _ in range(9):
        # The same moment: only the key tells them apart.
        send().change(created_at=first.transfer.created_at)
    assert len({row["id"] for row in rows(ada.post(TRANSFERS))}) == 10


def test_an_export_ends_at_a_limit_and_says_so(
    ada: Client, send: Callable[..., Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "MOST_ROWS", 2)
    for _ in range(3):
        send()
    found = rows(ada.post(TRANSFERS))
    assert len(found) == 3
    assert found[-1]["id"] == "Only the newest 2 rows: filter for less."


def test_an_export_is_in_the_audit_log(ada: Client, sent: Sent) -> None:
    ada.post(f"{TRANSFERS}?q=holiday")
    entry = AuditEntry.objects.get(code="exported")
    assert (entry.label, entry.after) == ("transfer", {"query": "q=holiday"})


def test_an_export_is_not_to_be_had_by_a_link(ada: Client) -> None:
    assert ada.get(TRANSFERS).status_code == 405


def test_staff_without_the_right_exports_nothing(sam: Callable[..., Client]) -> None:
    assert sam("transfers.view_file").post(TRANSFERS).status_code == 403


@pytest.mark.parametrize("name", LISTS)
def test_every_list_can_be_had_as_csv(ada: Client, name: str) -> None:
    answer: Any = ada.post(f"/admin/{name}/export/")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert b"".join(answer.streaming_content).count(b"\n") >= 1


@pytest.mark.parametrize("name", LISTS)
def test_every_list_offers_its_export(ada: Client, name: str) -> None:
    assert 'action="export/' in ada.get(f"/admin/{name}/").text
