"""What operators look at all day: uploads in progress, what the store holds, lists that keep their place, exports."""

import csv
import http.client
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import psycopg
from playwright.sync_api import Page, expect

from tests.browser import people, samples
from tests.browser.console import (
    AUDIT,
    TRANSFERS,
    WHO,
    expect_audited,
    id_in,
    named,
    open_row,
    ring,
    row,
    search,
)
from tests.e2e.clients import upload, wait_ready
from tests.e2e.fleet import Fleet

UPLOADS, STORAGE = "/admin/uploads/upload/", "/admin/console/storage/"


def filter_by(page: Page, words: str) -> None:
    """Open the filters and choose one, by keyboard."""
    page.get_by_role("button", name="Filters").press("Enter")
    page.locator("#changelist-filter").get_by_role("link", name=words, exact=True).press("Enter")


@contextmanager
def arriving(address: str, offset: int, count: int) -> Iterator[None]:
    """A sender whose request has begun: some bytes are on their way, the others are not."""
    to = urlsplit(address)
    line = http.client.HTTPConnection(str(to.hostname), to.port, timeout=30)
    line.putrequest("PATCH", to.path)
    sent = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset), "Content-Length": str(count)}
    for name, value in (sent | {"Content-Type": "application/offset+octet-stream"}).items():
        line.putheader(name, value)
    line.endheaders(b"x")
    try:
        yield
    finally:
        line.close()


def test_an_upload_in_progress_is_listed_with_how_far_it_is_and_which_instance_holds_it(
    operator: Page, fleet: Fleet
) -> None:
    name = f"{named('tape').replace(' ', '-')}.wav"
    _, begun = upload(fleet.url, b"x" * 500, name=name, length=1000)
    search(operator, UPLOADS, name)
    expect(row(operator, name)).to_contain_text("50 %")
    expect(row(operator, name)).to_contain_text("nobody")
    filter_by(operator, "bytes are coming in")
    # What was searched for is still searched for.
    expect(operator.locator("#searchbar")).to_have_value(name)
    expect(operator.locator("#result_list tbody tr", has_text=name)).to_have_count(0)
    with arriving(begun.headers["Location"], 500, 500):
        held = operator.locator("#result_list tbody tr", has_text=name)
        for _ in range(20):
            operator.reload()
            if held.count():
                break
        expect(held).to_contain_text("web-")
    open_row(operator, name)
    expect(operator.locator("#main")).to_contain_text(name)


def test_the_storage_page_tells_who_holds_what_and_leads_to_where_a_quota_is_changed(
    operator: Page, fleet: Fleet
) -> None:
    name = people.person(fleet)
    link = samples.send(fleet.url, {"film.bin": b"x" * 3_000_000})
    wait_ready(link)
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        told = {"name": name, "token": link.rsplit("/", 1)[1]}
        database.execute("UPDATE accounts_user SET quota_bytes = 4000000 WHERE username = %(name)s", told)
        database.execute(
            "UPDATE uploads_upload SET owner_id = (SELECT id FROM accounts_user WHERE username = %(name)s) "
            "WHERE transfer_id = (SELECT id FROM transfers_transfer WHERE token = %(token)s)",
            told,
        )
    ring(fleet, "console.take_stock")
    operator.goto(STORAGE)
    mine = operator.locator(".c-table tbody tr", has_text=name)
    for _ in range(20):
        if mine.count():
            break
        operator.reload()
    for fact in ("2.9\xa0MB", "3.8\xa0MB", "75 %"):
        expect(mine).to_contain_text(fact)
    ready = operator.locator(".c-table tbody tr", has=operator.get_by_role("rowheader", name="ready"))
    assert int(ready.locator("td").first.inner_text()) > 0
    mine.get_by_role("link", name=name).click()
    account = id_in(operator)
    operator.locator("input[name=quota_bytes]").fill("9000000")
    operator.locator("button[name=_save], input[name=_save]").first.click()
    operator.wait_for_url("**/accounts/user/")
    expect_audited(operator, account, "user_changed", name, "quota_bytes: 9000000")


def test_a_list_is_exported_as_it_is_searched_and_no_cell_of_it_runs_in_a_spreadsheet(
    operator: Page, fleet: Fleet
) -> None:
    words = named("Invoice")
    title = f"=HYPERLINK({words})"
    samples.send(fleet.url, {"a.txt": b"a" * 1234}, title=title)
    samples.send(fleet.url, {"b.txt": b"b"}, title="Of somebody else")
    search(operator, TRANSFERS, words)
    row(operator, words)
    with operator.expect_download() as download:
        operator.get_by_role("button", name="Export as CSV").click()
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    assert download.value.suggested_filename.startswith(f"transfer-{today}")
    (only,) = csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8")))
    assert (only["title"], only["files"], only["bytes"], only["link"]) == (f"'{title}", "1", "1234", "open")
    search(operator, AUDIT, "exported")
    expect(row(operator, words.rsplit(" ", 1)[1])).to_contain_text(WHO)


def test_whoever_searched_and_filtered_finds_the_list_as_it_was_after_changing_something(
    operator: Page, fleet: Fleet
) -> None:
    words = named("Minutes")
    links = [samples.send(fleet.url, {"a.txt": b"a"}, title=f"{words} {number}") for number in range(2)]
    search(operator, TRANSFERS, words)
    filter_by(operator, "works")
    expect(operator.locator("#result_list tbody tr")).to_have_count(len(links))
    place = operator.url
    open_row(operator, f"{words} 0")
    operator.locator("[name=message]").fill("Have a look.")
    operator.get_by_role("button", name="Save", exact=True).click()
    operator.wait_for_url(place)
    expect(operator.locator("#searchbar")).to_have_value(words)
    expect(operator.locator("#result_list tbody tr")).to_have_count(len(links))
