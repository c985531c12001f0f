"""A real Chromium. Without one the browser tests are skipped, and say so."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from tests.browser.alice import Person
from tests.browser.pages import furnish
from tests.browser.visits import watched
from tests.e2e.fleet import Fleet, fleet_running
from tests.e2e.telling import expect_silence

_ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
def running_fleet() -> Iterator[Fleet]:
    """Three instances behind Traefik."""
    with fleet_running() as fleet:
        yield fleet
        expect_silence(fleet)


@pytest.fixture(scope="package")
def guarded_fleet() -> Iterator[Fleet]:
    """A fleet as one would run it for others: invitations, confirmed addresses, staff with a second factor."""
    settings = {
        "SIGN_UP": "invited",
        "EMAIL_VERIFICATION": "mandatory",
        "STAFF_SECOND_FACTOR": "true",
        # All of them sign in from one address.
        "THROTTLE_SIGN_IN": "1000/minute",
    }
    with fleet_running(settings=settings) as fleet:
        yield fleet


@pytest.fixture
def guarded(browser: Browser, guarded_fleet: Fleet) -> Iterator[Page]:
    """Alice's page on it. Whatever it complains about in its console fails the test."""
    with browser.new_context(base_url=guarded_fleet.url) as context, watched(context) as page:
        yield page


@pytest.fixture
def context(browser: Browser, fleet: Fleet) -> Iterator[BrowserContext]:
    """Alice's browser."""
    with browser.new_context(base_url=fleet.url) as context:
        yield context


@pytest.fixture
def plain(browser: Browser, fleet: Fleet) -> Iterator[BrowserContext]:
    """A browser without script."""
    with browser.new_context(base_url=fleet.url, java_script_enabled=False) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page of Alice's. Whatever it complains about in its console fails the test."""
    with watched(context) as page:
        yield page


@pytest.fixture(scope="package")
def alice(running_fleet: Fleet) -> Person:
    """Alice's account. What she has sent is each test's own."""
    return Person.make(running_fleet, "alice")


@pytest.fixture(scope="package")
def furnished(running_fleet: Fleet) -> dict[str, str]:
    """A transfer in each state, and sessions of a person and of staff."""
    return furnish(running_fleet)


@pytest.fixture(scope="package")
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
    with browser.new_context(base_url=fleet.url, viewport={"width": 1280, "height": 900}) as context:
        context.add_cookies([{"name": "spillway_session", "value": furnished["staff"], "url": fleet.url}])
        with watched(context) as page:
            yield page
