"""A recipient reports a transfer: a form, thanks, and no trace of who; with scripts and without."""

from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import samples
from tests.browser.visits import status_of
from tests.e2e.fleet import Fleet


def reports(fleet: Fleet, link: str) -> list[tuple[Any, ...]]:
    """What staff will read: reason, words, address; the oldest first."""
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        return database.execute(
            "SELECT reason, text, email FROM console_report WHERE token = %s AND state = 'open' ORDER BY id",
            [link.rsplit("/", 1)[1]],
        ).fetchall()


def report(page: Page, link: str, text: str, email: str = "") -> None:
    """From the page behind the link to the thanks, by way of a form that was sent too early."""
    page.goto(link)
    page.get_by_role("link", name="Report this transfer").click()
    page.get_by_role("button", name="Send the report").click()
    # Nothing was chosen yet: the browser itself asks for it.
    expect(page.get_by_label("What is wrong?")).to_be_focused()
    page.get_by_label("What is wrong?").select_option("phishing")
    page.get_by_label("Tell us more").fill(text)
    page.get_by_label("Your e-mail address").fill(email)
    page.get_by_role("button", name="Send the report").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    expect(page.locator("main")).to_contain_text("Your report has arrived.")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_recipient_reports_a_transfer_and_may_do_so_again(
    browser: Browser, fleet: Fleet, scripts: bool
) -> None:
    link = samples.send(fleet.url, {"bill.txt": b"Pay here"}, title="Your bill")
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    report(page, link, "It looks like my bank.", "bob@example.net")
    page.get_by_role("link", name="To the front page").click()
    expect(page).to_have_url(f"{fleet.url}/")
    report(page, link, "And it asks for my password.")
    assert reports(fleet, link) == [
        ("phishing", "It looks like my bank.", "bob@example.net"),
        ("phishing", "And it asks for my password.", ""),
    ]
    # It is for staff to decide: until then the link opens.
    assert status_of(page, link) == 200
    expect(page.locator("main")).not_to_contain_text("bank")
    context.close()
