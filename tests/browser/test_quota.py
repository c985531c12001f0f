"""Somebody with a quota: sees how much of it is used, is told when it is used up, and makes room."""

from pathlib import Path

import psycopg
from playwright.sync_api import Page, expect

from tests.browser.people import person, sign_in
from tests.browser.sending import MIB, choose, expect_ready, send
from tests.browser.test_my_transfers import act
from tests.e2e.clients import random_file
from tests.e2e.fleet import Fleet


def with_quota(fleet: Fleet, name: str, count: int) -> None:
    """As an operator sets it: so many bytes and no more."""
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        database.execute("UPDATE accounts_user SET quota_bytes = %s WHERE username = %s", [count, name])


def expect_gauge(page: Page, words: str, percent: int) -> None:
    """What the account's page says, and how high the water stands on it."""
    page.goto("/accounts/")
    expect(page.locator("#gauge-said")).to_have_text(words)
    expect(page.locator(".gauge__water")).to_have_attribute("width", str(percent))


def begin(page: Page, path: Path, title: str) -> None:
    random_file(path, 2 * MIB)
    page.goto("/")
    choose(page, path)
    page.locator("#choices summary").click()
    page.locator("#choice-title").fill(title)
    send(page)


def test_the_gauge_is_true_and_who_has_no_room_left_makes_some_and_goes_on(
    guarded: Page, guarded_fleet: Fleet, tmp_path: Path
) -> None:
    name = person(guarded_fleet)
    with_quota(guarded_fleet, name, 3 * MIB)
    sign_in(guarded, name)
    expect_gauge(guarded, "0 bytes of 3.0 MB is what you have here; 3.0 MB is left.", 0)
    begin(guarded, tmp_path / "first.bin", "The first")
    expect_ready(guarded)
    expect_gauge(guarded, "2.0 MB of 3.0 MB is what you have here; 1.0 MB is left.", 67)

    # A refusal is an error in a browser's console: not a page that must have none.
    page = guarded.context.new_page()
    begin(page, tmp_path / "second.bin", "The second")
    refused = page.locator("li[data-local]")
    expect(refused).to_contain_text("This is more than you may have here at one time.", timeout=30_000)
    expect(refused).to_contain_text("Remove older transfers, or wait until they expire.")
    expect_gauge(guarded, "2.0 MB of 3.0 MB is what you have here; 1.0 MB is left.", 67)

    guarded.goto("/mine")
    act(guarded, "The first", "Delete")
    guarded.locator("#sheet").get_by_role("button", name="Delete").click()
    expect(guarded.locator("#mine-said")).to_have_text("Deleted. Its files are gone.")
    page.get_by_role("button", name="Try again: second.bin").click()
    expect_ready(page)
    expect_gauge(guarded, "2.0 MB of 3.0 MB is what you have here; 1.0 MB is left.", 67)
