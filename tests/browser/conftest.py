"""A real Chromium. Without one the browser tests are skipped, and say so."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from tests.browser.alice import Person
from tests.browser.pages import furnish
from tests.e2e.fleet import Fleet

_ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The Chromium that SPILLWAY_CHROMIUM names, else the one Playwright installed."""
    # Chromium's sandbox does not start for root; the pages are our own.
    arguments = [*_ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("SPILLWAY_CHROMIUM") or None, args=arguments
            )
        except Error as error:
            pytest.skip(f"no Chromium can be started here: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def guarded_fleet() -> Iterator[Fleet]:
    """A fleet as one would run it for others: accounts by invitation, addresses confirmed, staff with a second factor.

    Its letters are files.
    """
    folder = Path(tempfile.mkdtemp(prefix="spillway-people-"))
    folder.chmod(0o755)
    letters = folder / "data" / "letters"
    settings = {
        "SIGN_UP": "invited",
        "EMAIL_VERIFICATION": "mandatory",
        "STAFF_SECOND_FACTOR": "true",
        "EMAIL_URL": f"filemail:///{letters}",  # the library takes the first slash away
        # All of them sign in from one address.
        "THROTTLE_SIGN_IN": "1000/minute",
    }
    fleet = Fleet(folder / "data", settings=settings)
    try:
        fleet.up()
        yield fleet
    finally:
        fleet.run("down", check=False)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def guarded(browser: Browser, guarded_fleet: Fleet) -> Iterator[Page]:
    """Alice's page on it. Whatever it complains about in its console fails the test."""
    context = browser.new_context(base_url=guarded_fleet.url)
    complaints: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(error.message))
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def context(browser: Browser, fleet: Fleet) -> Iterator[BrowserContext]:
    """Alice's browser."""
    context = browser.new_context(base_url=fleet.url)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page of Alice's. Whatever it complains about in its console fails the test."""
    complaints: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(error.message))
    yield page
    assert complaints == []


@pytest.fixture(scope="session")
def alice(running_fleet: Fleet) -> Person:
    """Alice's account. What she has sent is each test's own."""
    return Person.make(running_fleet, "alice")


@pytest.fixture(scope="session")
def furnished(running_fleet: Fleet) -> dict[str, str]:
    """A transfer in each state, and sessions of a person and of staff."""
    return furnish(running_fleet)


@pytest.fixture(scope="session")
def visitors(
    browser: Browser, running_fleet: Fleet, furnished: dict[str, str]
) -> Iterator[dict[str, BrowserContext]]:
    """One browser each of a stranger, a person who is signed in, and staff."""
    contexts = {
        who: browser.new_context(base_url=running_fleet.url) for who in ("stranger", "person", "staff")
    }
    for who in ("person", "staff"):
        contexts[who].add_cookies(
            [{"name": "spillway_session", "value": furnished[who], "url": running_fleet.url}]
        )
    yield contexts
    for context in contexts.values():
        context.close()


@pytest.fixture
def operator(browser: Browser, fleet: Fleet, furnished: dict[str, str]) -> Iterator[Page]:
    """The page of somebody who runs the site. Whatever it complains about in its console fails the test."""
    context = browser.new_context(base_url=fleet.url, viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": "spillway_session", "value": furnished["staff"], "url": fleet.url}])
    complaints: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(error.message))
    yield page
    context.close()
    assert complaints == []
