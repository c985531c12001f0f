"""Owns what operators do over and over in tests of the console: search, open a row, act on it, read the audit log."""

import re
import uuid
from urllib.parse import urlsplit, urlunsplit

from celery import Celery
from playwright.sync_api import Locator, Page, expect

from tests.e2e.fleet import Fleet

TRANSFERS, REPORTS, JOBS = "/admin/transfers/transfer/", "/admin/console/report/", "/admin/console/failedjob/"
BLOCKS, AUDIT = "/admin/throttling/block/", "/admin/console/auditentry/"
WHO = "operator"


def named(words: str) -> str:
    """A title that no other test has."""
    return f"{words} {uuid.uuid4().hex[:8]}"


def search(page: Page, path: str, words: str) -> None:
    """Go to a list and look for something, as a person does."""
    page.goto(path)
    page.locator("#searchbar").fill(words)
    page.locator("#searchbar").press("Enter")
    page.wait_for_url(re.compile(r"[?&]q="))


def row(page: Page, words: str) -> Locator:
    """The one row of a list that has these words."""
    found = page.locator("#result_list tbody tr", has_text=words)
    expect(found).to_have_count(1)
    return found


def open_row(page: Page, words: str) -> None:
    """Follow the link of a list's row."""
    row(page, words).locator("th a").first.click()
    page.wait_for_url("**/change/**")


def find(page: Page, path: str, words: str) -> None:
    """Search for something and open it."""
    search(page, path, words)
    open_row(page, words)


def do(page: Page, link: str, button: str, reason: str = "") -> None:
    """One of the actions of a row's own page, which asks first."""
    page.get_by_role("link", name=link).click()
    if reason:
        page.locator("#c-reason").fill(reason)
    page.get_by_role("button", name=button, exact=True).click()


def act(page: Page, words: str, action: str) -> None:
    """One of a list's actions, on the row with these words."""
    row(page, words).locator("input.action-select").check()
    page.locator("select[name=action]").select_option(label=action)
    page.get_by_role("button", name="Run", exact=True).click()


def expect_audited(page: Page, target: str, code: str, *facts: str) -> None:
    """The audit log's page has, of `target` (its id), who did `code` when and why."""
    search(page, AUDIT, target)
    entry = page.locator("#result_list tbody tr", has=page.get_by_text(code, exact=True))
    expect(entry).to_have_count(1)
    for fact in (WHO, *facts):
        expect(entry).to_contain_text(fact)
    assert page.get_by_text("127.0.0.1").first.is_visible()


def id_in(page: Page) -> str:
    """The id of what this page of the admin shows."""
    return page.url.split("/change")[0].rsplit("/", 1)[1]


def ring(fleet: Fleet, task: str, *arguments: str) -> None:
    """What the clock does every half minute."""
    broker = urlunsplit(urlsplit(fleet.environment["REDIS_URL"])._replace(path="/1"))
    with Celery(broker=broker) as caller:
        caller.send_task(task, arguments)
