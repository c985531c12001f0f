"""Somebody who guessed too often is refused; an operator sees who, lets them in, and they go on at once."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import samples
from tests.browser.console import AUDIT, WHO, named, row, search
from tests.browser.elsewhere import browser_at
from tests.browser.visits import enter_password
from tests.e2e.fleet import Fleet

ADDRESS = "127.0.77.3"
TRIES = 10  # THROTTLE_PASSWORD


@pytest.fixture
def forgetful(browser: Browser, fleet: Fleet) -> Iterator[BrowserContext]:
    """A recipient who does not remember the password."""
    with browser_at(ADDRESS, browser, fleet) as context:
        yield context


def test_whoever_guessed_too_often_is_listed_and_let_in_by_a_click(
    operator: Page, forgetful: BrowserContext, fleet: Fleet
) -> None:
    title, page = named("Locked plans"), forgetful.new_page()
    link = samples.send(fleet.url, {"plans.txt": b"The plans."}, title=title, password="sesame")
    page.goto(link)
    assert [enter_password(page, f"guess {number}").status for number in range(TRIES)] == [403] * TRIES
    assert enter_password(page, "sesame").status == 429
    expect(page.get_by_role("alert")).to_contain_text("too often", ignore_case=True)

    operator.goto("/admin/console/throttled/")
    refused = operator.locator(".c-table tbody tr", has_text=ADDRESS)
    expect(refused).to_contain_text("password")
    refused.get_by_role("button", name=re.compile("^Let in")).click()
    expect(operator.get_by_text("may try again now.")).to_contain_text(ADDRESS)
    expect(refused).to_have_count(0)

    page.goto(link)
    assert enter_password(page, "sesame").status == 303
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    search(operator, AUDIT, "throttled_let_in")
    for fact in (WHO, "throttled_let_in", "password: "):
        expect(row(operator, f":{ADDRESS}")).to_contain_text(fact)
