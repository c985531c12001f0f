"""A link with a password: who does not know it sees nothing, is told so, and may not go on guessing."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import samples
from tests.browser.visits import enter_password, status_of
from tests.e2e.fleet import Fleet

PASSWORD = "a boat on the lake"
MOST_TRIES = 10  # THROTTLE_PASSWORD


@pytest.fixture(scope="module")
def links(running_fleet: Fleet) -> tuple[str, str]:
    """Two links with the same password."""
    plans, photos = (
        samples.send(running_fleet.url, {name: name.encode()}, title=f"Secret {name}", password=PASSWORD)
        for name in ("plans.txt", "photos.txt")
    )
    return plans, photos


@pytest.fixture
def other(browser: Browser, fleet: Fleet) -> Iterator[BrowserContext]:
    """Somebody else's browser."""
    with browser.new_context(base_url=fleet.url) as context:
        yield context


@pytest.fixture
def visitor(context: BrowserContext) -> Page:
    """A refusal is an error in a browser's console: not a page that must have none."""
    return context.new_page()


def expect_closed(page: Page) -> None:
    expect(page.get_by_label("Password")).to_be_focused()
    expect(page.locator("body")).not_to_contain_text("Secret")
    expect(page.locator("a[href*='/d/']")).to_have_count(0)


def expect_open(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    # Checked by a worker first.
    expect(page.get_by_role("link", name="Download")).to_be_visible(timeout=30_000)


def test_a_wrong_password_is_told_and_the_right_one_opens_for_this_person_only(
    visitor: Page, other: BrowserContext, links: tuple[str, str]
) -> None:
    plans, photos = links
    assert status_of(visitor, plans) == 200
    expect_closed(visitor)
    assert enter_password(visitor, "a boat").status == 403
    expect(visitor.get_by_role("alert")).to_have_text("This is not the password.")
    expect_closed(visitor)
    assert enter_password(visitor, PASSWORD).status == 303
    expect_open(visitor, "Secret plans.txt")
    visitor.reload()
    expect_open(visitor, "Secret plans.txt")
    bytes_address = visitor.get_by_role("link", name="Download").get_attribute("href") or ""
    assert visitor.context.request.get(bytes_address).text() == "plans.txt"

    # A session of her own, in which the same password opened another link.
    stranger = other.new_page()
    stranger.goto(photos)
    enter_password(stranger, PASSWORD)
    expect_open(stranger, "Secret photos.txt")
    stranger.goto(plans)
    expect_closed(stranger)
    assert status_of(stranger, bytes_address) == 403
    expect_closed(stranger)
    # What was asked for on the way to the bytes can be opened right there.
    enter_password(stranger, PASSWORD)
    expect_open(stranger, "Secret plans.txt")


def test_whoever_guesses_too_often_is_told_to_wait_and_others_are_not_in_the_way(
    visitor: Page, other: BrowserContext, links: tuple[str, str]
) -> None:
    plans, photos = links
    knows = other.new_page()
    knows.goto(plans)
    enter_password(knows, PASSWORD)
    expect_open(knows, "Secret plans.txt")

    visitor.goto(plans)
    guesses = [enter_password(visitor, f"guess {number}").status for number in range(MOST_TRIES)]
    assert guesses == [403] * MOST_TRIES
    # Not even the right one: it would tell that it is.
    refused = enter_password(visitor, PASSWORD)
    assert refused.status == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    expect(visitor.get_by_role("alert")).to_have_text("That was too often. Wait a moment and try again.")
    expect_closed(visitor)

    # Who has opened it stays in, and another link is another count.
    knows.reload()
    expect_open(knows, "Secret plans.txt")
    visitor.goto(photos)
    enter_password(visitor, PASSWORD)
    expect_open(visitor, "Secret photos.txt")
