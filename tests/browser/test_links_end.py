"""Links end: by their sender, by their limit, by themselves. Each says so honestly, and how to go on."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import samples
from tests.browser.pages import UNKNOWN
from tests.browser.sending import choose, expect_ready, send
from tests.browser.test_my_transfers import act, row
from tests.browser.visits import status_of
from tests.e2e.clients import wait_ready
from tests.e2e.fleet import Fleet

# Which day it is where the reader lives is the browser's to say.
EXPIRED = re.compile(r"^\s*This link expired on \w+ \d+\s*$")


@pytest.fixture
def bob(browser: Browser, running_fleet: Fleet) -> Iterator[Page]:
    """The recipient's page; without the check of its console: a page that says no is an error there."""
    context = browser.new_context(base_url=running_fleet.url)
    yield context.new_page()
    context.close()


def expect_end(page: Page, address: str, status: int, heading: str | re.Pattern[str]) -> None:
    """The page says how the link ended, with this status, and leads somewhere."""
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == status
    assert answer.headers["cache-control"] == "no-store"
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    expect(page.locator("a[href*='/d/']")).to_have_count(0)
    expect(page.locator("main").get_by_role("link", name="Go to the start page")).to_have_attribute(
        "href", "/"
    )


@pytest.mark.parametrize(
    ("name", "status", "heading", "what_to_do"),
    [
        ("expired", 410, EXPIRED, "Ask the sender for a new one."),
        ("closed", 410, "The sender closed this link", "Ask the sender if you still need the files."),
        (
            "taken_down",
            410,
            "This transfer was taken down",
            "Ask the sender, or whoever runs this site.",
        ),
        ("unknown", 404, "There is nothing behind this link", "or ask the sender."),
    ],
    ids=["expired", "closed", "taken-down", "unknown"],
)
def test_a_link_that_has_ended_says_why_and_what_to_do(
    bob: Page,
    furnished: dict[str, str],
    name: str,
    status: int,
    heading: str | re.Pattern[str],
    what_to_do: str,
) -> None:
    expect_end(bob, f"/t/{furnished.get(name, UNKNOWN)}", status, heading)
    expect(bob.locator("main")).to_contain_text(what_to_do)
    # Nothing of what it held.
    expect(bob.locator("body")).not_to_contain_text("Plans for the pool")


def download(page: Page, name: str) -> None:
    with page.expect_download() as download:
        page.get_by_role("link", name=f"Download {name}").click()
    assert download.value.path().stat().st_size > 0


def test_a_link_with_a_limit_counts_down_and_is_used_up(bob: Page, fleet: Fleet) -> None:
    link = samples.send(fleet.url, {"ticket.txt": b"Row 7"}, title="Tickets", download_limit=2)
    (file,) = wait_ready(link)
    for left in ("2", "1"):
        bob.goto(link)
        expect(bob.locator(".receive__facts strong")).to_have_text(left)
        download(bob, "ticket.txt")
    assert status_of(bob, link) == 200
    expect(bob.locator(".notice--warning")).to_contain_text("Ask the sender for a new link.")
    expect(bob.get_by_role("link", name="Download")).to_have_count(0)
    # Somebody who had the page open before it was used up.
    expect_end(bob, file["url"], 403, "This link has been used up")


def test_what_is_to_go_after_the_download_stays_until_every_file_was_taken(bob: Page, fleet: Fleet) -> None:
    files = {"one.txt": b"1", "two.txt": b"2"}
    link = samples.send(fleet.url, files, title="Once", delete_after_download=True)
    wait_ready(link, count=2)
    bob.goto(link)
    expect(bob.locator("main")).to_contain_text("Each file is removed once everything has been downloaded.")
    download(bob, "one.txt")
    assert ends_in(fleet, link) > timedelta(days=1)
    download(bob, "two.txt")
    # A download that broke may still go on for an hour.
    assert timedelta(minutes=50) < ends_in(fleet, link) <= timedelta(hours=1)
    hour_later(fleet, link)
    expect_end(bob, link, 410, EXPIRED)


def ends_in(fleet: Fleet, link: str) -> timedelta:
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        found = database.execute(
            "SELECT expires_at - now() FROM transfers_transfer WHERE token = %s", [link.rsplit("/", 1)[1]]
        ).fetchone()
    assert found is not None
    return timedelta(seconds=found[0].total_seconds())


def hour_later(fleet: Fleet, link: str) -> None:
    """Nobody has looked at the link since it was changed: there is no copy of it that would have to be told."""
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        database.execute(
            "UPDATE transfers_transfer SET expires_at = expires_at - interval '1 hour' WHERE token = %s",
            [link.rsplit("/", 1)[1]],
        )


def test_its_sender_closes_a_link_opens_it_again_and_removes_it_and_every_recipient_sees_it_at_once(
    context: BrowserContext, page: Page, bob: Page, tmp_path: Path
) -> None:
    path = tmp_path / "draft.txt"
    path.write_text("not yet")
    page.goto("/")
    choose(page, path)
    send(page)
    expect_ready(page)
    manage, link = page.url, page.locator("#link-address").input_value()
    bob.goto(link)
    bytes_address = bob.get_by_role("link", name="Download").get_attribute("href") or ""

    page.goto("/mine")
    act(page, "draft.txt", "Close the link")
    expect(row(page, "draft.txt").locator(".state").first).to_have_text("closed")
    for address in (link, bytes_address):
        expect_end(bob, address, 410, "The sender closed this link")
    act(page, "draft.txt", "Open it again")
    expect(row(page, "draft.txt").locator(".state").first).to_have_text("open")
    assert status_of(bob, link) == 200
    download(bob, "draft.txt")

    page.goto(manage)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Remove the whole transfer").click()
    page.wait_for_url(lambda url: url.endswith("/"))
    for address in (link, bytes_address):
        expect_end(bob, address, 404, "There is nothing behind this link")
    page.goto("/mine")
    expect(page.locator("main")).to_contain_text("You have not sent anything yet.")
