"""A recipient reports abuse; an operator is told so on the dashboard, and dismisses it or takes the transfer down."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import samples
from tests.browser.console import REPORTS, act, do, expect_audited, named, row
from tests.browser.elsewhere import browser_at
from tests.e2e.fleet import Fleet

OPEN = re.compile(r"\d+ reports? of abuse (is|are) open")


@pytest.fixture(scope="module")
def neighbour(browser: Browser, running_fleet: Fleet) -> Iterator[BrowserContext]:
    """A recipient with a client address of their own: an address may report so often and no more."""
    with browser_at("127.0.77.2", browser, running_fleet) as context:
        yield context


@pytest.fixture
def reported(neighbour: BrowserContext, fleet: Fleet) -> Iterator[tuple[str, Page]]:
    """The title of a transfer that its recipient has just reported, and their page."""
    title, page = named("Win a phone"), neighbour.new_page()
    page.goto(samples.send(fleet.url, {"phone.txt": b"Win!"}, title=title))
    page.get_by_role("link", name="Report this transfer").click()
    page.get_by_label("What is wrong?").select_option("phishing")
    page.get_by_label("Tell us more (optional)").fill("It asks for my password.")
    page.get_by_role("button", name="Send the report").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    yield title, page
    page.close()


def from_dashboard(operator: Page) -> None:
    """Go where the dashboard says that something needs a hand."""
    operator.goto("/admin/")
    operator.get_by_role("link", name=OPEN).click()
    operator.wait_for_url("**/report/?state__exact=open")


def test_a_report_that_is_wrong_is_dismissed_and_the_link_goes_on_to_work(
    operator: Page, reported: tuple[str, Page]
) -> None:
    title, recipient = reported
    from_dashboard(operator)
    expect(row(operator, title)).to_contain_text("It asks for my password.")
    report = row(operator, title).locator("input.action-select").input_value()
    act(operator, title, "Dismiss: nothing is wrong")
    expect(operator.get_by_text("1 report is settled.")).to_be_visible()
    # It is not among the open ones any more.
    assert "state__exact=open" in operator.url
    expect(operator.locator("#result_list tbody tr", has_text=title)).to_have_count(0)
    operator.goto(REPORTS)
    expect(row(operator, title)).to_contain_text("dismissed", ignore_case=True)
    recipient.go_back()
    recipient.go_back()
    expect(recipient.get_by_role("heading", level=1)).to_have_text(title)
    expect_audited(operator, report, "report_dismissed", title)


def test_a_report_that_is_right_leads_to_the_transfer_and_taking_it_down_settles_it(
    operator: Page, reported: tuple[str, Page]
) -> None:
    title, recipient = reported
    from_dashboard(operator)
    row(operator, title).get_by_role("link", name=title).last.click()
    do(operator, "Take down…", "Take it down", "Phishing, as reported")
    expect(operator.get_by_text("It is taken down.")).to_be_visible()
    operator.goto(REPORTS)
    expect(row(operator, title)).to_contain_text("resolved", ignore_case=True)
    expect(row(operator, title)).to_contain_text("operator")
    recipient.go_back()
    recipient.go_back()
    expect(recipient.get_by_role("heading", level=1)).to_have_text("This transfer was taken down")
