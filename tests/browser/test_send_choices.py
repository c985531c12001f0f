"""What a sender chooses reaches the transfer, and what cannot be chosen is told at its field."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.sending import choose, expect_ready, send
from tests.e2e.fleet import Fleet


@pytest.fixture
def chosen(page: Page, tmp_path: Path) -> Page:
    """A page with a file, and the choices unfolded."""
    path = tmp_path / "a.txt"
    path.write_text("hello")
    page.goto("/")
    choose(page, path)
    page.locator("#choices summary").click()
    return page


def row_of(page: Page, fleet: Fleet, *columns: str) -> tuple[object, ...]:
    token = page.url.partition("#")[0].rsplit("/", 1)[1]
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        names = ", ".join(columns)
        row = database.execute(f"SELECT {names} FROM transfers_transfer WHERE token = %s", [token]).fetchone()
    assert row is not None
    return row


def test_choices_are_summed_up_in_one_line_and_reach_the_transfer(chosen: Page, fleet: Fleet) -> None:
    page = chosen
    page.locator("#choice-title").fill("Holiday")
    page.locator("#choice-message").fill("As promised")
    page.locator("#choice-limit").fill("3")
    page.locator("#choice-password").fill("correct horse")
    page.locator("#choice-delete").check()
    page.locator("#choice-expires").select_option("3")
    summary = page.locator("[data-summary]")
    expect(summary).to_have_text(
        "Expires in 3 days · password set · at most 3 downloads · deleted after download"
    )
    send(page)
    expect_ready(page)
    columns = ("title", "message", "download_limit", "delete_after_download", "expires_at")
    *row, expires_at = row_of(page, fleet, *columns)
    assert row == ["Holiday", "As promised", 3, True]
    assert abs(expires_at - datetime.now(UTC) - timedelta(days=3)) < timedelta(minutes=5)  # type: ignore[operator]


def test_a_link_can_end_on_a_date(chosen: Page, fleet: Fleet) -> None:
    page = chosen
    page.locator("#choice-expires").select_option("date")
    day = (datetime.now(UTC).astimezone() + timedelta(days=5)).date()
    page.locator("#choice-expires-on").fill(day.isoformat())
    expect(page.locator("[data-summary]")).to_contain_text("Expires on")
    send(page)
    (expires_at,) = row_of(page, fleet, "expires_at")
    ends = expires_at.astimezone()  # type: ignore[attr-defined]
    assert (ends.date(), ends.hour, ends.minute) == (day, 23, 59)


def test_a_choice_that_is_none_is_told_at_its_field_before_anything_is_sent(chosen: Page) -> None:
    page = chosen
    page.locator("#choice-limit").fill("0")
    page.locator("#choices summary").click()
    page.locator("#send").click()
    expect(page.locator("#choice-limit")).to_be_focused()
    expect(page.locator("#choice-limit")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#choice-limit-error")).not_to_be_empty()
    page.locator("#choice-limit").fill("2")
    expect(page.locator("#choice-limit-error")).to_be_hidden()
    send(page)


def test_what_the_server_refuses_is_told_at_its_field(context: BrowserContext, tmp_path: Path) -> None:
    # A refusal is an error in a browser's console: not a page that must have none.
    page, path = context.new_page(), tmp_path / "a.txt"
    path.write_text("hello")
    page.goto("/")
    choose(page, path)
    page.locator("#choices summary").click()
    page.evaluate("document.getElementById('choice-title').removeAttribute('maxlength')")
    page.locator("#choice-title").fill("x" * 201)
    page.locator("#send").click()
    expect(page.locator("#choice-title-error")).to_contain_text("at most 200 characters")
    expect(page.locator("#choice-title")).to_be_focused()


def test_a_stranger_is_told_why_nobody_writes_to_them(chosen: Page) -> None:
    expect(chosen.locator("#choice-notify")).to_be_disabled()
    expect(chosen.locator("#choice-notify-help")).to_contain_text("Only with an account")
    expect(chosen.locator("#choice-emails")).to_have_count(0)
