"""My transfers: everything is done from a row, and nothing loses its place."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.alice import Person
from tests.browser.test_send_and_receive import choose
from tests.e2e.clients import upload
from tests.e2e.fleet import Fleet


@pytest.fixture(autouse=True)
def _sent(alice: Person) -> None:
    """More transfers than a page shows."""
    alice.has_sent(25)


@pytest.fixture
def mine(alice: Person, context: BrowserContext, page: Page) -> Page:
    """Alice's list."""
    alice.sign_in(context)
    page.goto("/mine")
    return page


def row(page: Page, title: str) -> Locator:
    return page.locator("li.sent").filter(has=page.get_by_role("link", name=title, exact=True))


def act(page: Page, title: str, action: str) -> None:
    row(page, title).locator("summary").click()
    row(page, title).locator(".menu__item", has_text=action).click()


def scrolled(page: Page) -> float:
    return float(page.evaluate("scrollY"))


def test_a_row_is_changed_closed_opened_and_deleted_in_its_place(mine: Page) -> None:
    mine.get_by_role("link", name="Older").click()
    mine.wait_for_url("**/mine?after=*")
    address = mine.url
    row(mine, "Transfer 2").locator("summary").scroll_into_view_if_needed()
    place = scrolled(mine)

    act(mine, "Transfer 2", "Change")
    expect(mine.locator("#change-title")).to_be_focused()
    mine.locator("#change-password").fill("sesame")
    mine.locator("#change-limit").fill("9")
    mine.get_by_role("button", name="Save").click()
    expect(row(mine, "Transfer 2")).to_contain_text("password")
    expect(row(mine, "Transfer 2")).to_contain_text("0 of 9 downloads")
    expect(mine.locator("#mine-said")).to_have_text("Changed.")
    expect(row(mine, "Transfer 2").locator("summary")).to_be_focused()

    act(mine, "Transfer 2", "Close the link")
    expect(row(mine, "Transfer 2").locator(".state").first).to_have_text("closed")
    act(mine, "Transfer 2", "Open it again")
    expect(row(mine, "Transfer 2").locator(".state").first).to_have_text("open")

    act(mine, "Transfer 2", "Delete")
    expect(mine.locator("#sheet")).to_contain_text("Delete “Transfer 2”?")
    mine.keyboard.press("Escape")
    expect(row(mine, "Transfer 2")).to_be_visible()
    act(mine, "Transfer 2", "Delete")
    mine.locator("#sheet").get_by_role("button", name="Delete").click()
    expect(row(mine, "Transfer 2")).to_have_count(0)
    expect(mine.locator("li.sent")).to_have_count(4)
    assert mine.url == address
    assert abs(scrolled(mine) - place) <= 150  # the page is a row shorter


def test_a_limit_that_is_too_low_is_told_in_the_form_with_what_was_typed(
    alice: Person, context: BrowserContext
) -> None:
    # A refusal is an error in a browser's console: not a page that must have none.
    alice.sign_in(context)
    page = context.new_page()
    page.goto("/mine")
    act(page, "Transfer 24", "Change")
    page.locator("#change-title").fill("Another title")
    page.locator("#change-limit").fill("0")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#sheet [role=alert]")).to_contain_text("between 1 and")
    expect(page.locator("#change-title")).to_have_value("Another title")
    page.locator("#change-limit").fill("3")
    page.get_by_role("button", name="Save").click()
    expect(row(page, "Another title")).to_contain_text("0 of 3 downloads")


def test_it_is_found_by_its_title_and_its_state(mine: Page) -> None:
    act(mine, "Transfer 21", "Close the link")
    expect(row(mine, "Transfer 21").locator(".state").first).to_have_text("closed")
    mine.get_by_label("Search by title").fill("transfer 2")
    mine.keyboard.press("Enter")
    expect(mine.locator("li.sent")).to_have_count(6)
    mine.get_by_role("link", name="Closed").click()
    expect(mine.locator("li.sent")).to_have_count(1)
    expect(mine.locator("#mine-q")).to_have_value("transfer 2")


def test_the_menu_is_used_by_keyboard_alone(mine: Page) -> None:
    summary = row(mine, "Transfer 24").locator("summary")
    summary.focus()
    mine.keyboard.press("Enter")
    expect(row(mine, "Transfer 24").locator("details")).to_have_attribute("open", "")
    mine.keyboard.press("Escape")
    expect(row(mine, "Transfer 24").locator("details")).not_to_have_attribute("open", "")
    expect(summary).to_be_focused()


def test_everything_works_without_a_script(alice: Person, browser: Browser, fleet: Fleet) -> None:
    context = browser.new_context(base_url=fleet.url, java_script_enabled=False)
    alice.sign_in(context)
    page = context.new_page()
    page.goto("/mine")
    page.get_by_role("link", name="Older").click()
    address = page.url
    act(page, "Transfer 1", "Change")
    page.locator("#change-title").fill("Without script")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".notice--success")).to_contain_text("Changed.")
    act(page, "Without script", "Close the link")
    expect(row(page, "Without script").locator(".state").first).to_have_text("closed")
    act(page, "Without script", "Delete")
    page.get_by_role("button", name="Delete").click()
    expect(row(page, "Without script")).to_have_count(0)
    assert page.url == address
    context.close()


def test_progress_is_seen_while_a_file_arrives_and_an_open_menu_stays_open(
    alice: Person, context: BrowserContext, page: Page, fleet: Fleet
) -> None:
    alice.sign_in(context)
    page.goto("/mine")
    headers = {"X-CSRFToken": page.locator("meta[name=csrf-token]").get_attribute("content") or ""}
    made = context.request.post("/transfers/", data={"title": "Arriving"}, headers=headers).json()
    _, sending = upload(fleet.url, b"x" * 400, length=1000, transfer=made["secret"])
    page.reload()
    expect(row(page, "Arriving").locator("progress")).to_have_attribute("value", "40")
    row(page, "Arriving").locator("summary").click()
    context.request.patch(
        sending.headers["Location"],
        data=b"x" * 600,
        headers={
            "Tus-Resumable": "1.0.0",
            "Upload-Offset": "400",
            "Content-Type": "application/offset+octet-stream",
        },
    )
    expect(row(page, "Arriving").locator("progress")).to_have_count(0, timeout=20_000)
    expect(row(page, "Arriving")).not_to_contain_text("being checked", timeout=20_000)
    expect(row(page, "Arriving").locator("details")).to_have_attribute("open", "")


def test_what_was_sent_without_an_account_is_this_browsers_until_the_account_takes_it(
    context: BrowserContext, page: Page, browser: Browser, fleet: Fleet, alice: Person, tmp_path: Path
) -> None:
    path = tmp_path / "before.txt"
    path.write_text("before")
    page.goto("/")
    choose(page, path)
    page.locator("#send").click()
    expect(page.locator("#link")).to_be_visible(timeout=60_000)
    # The link is there before the first byte is; whoever leaves at once has sent nothing.
    expect(page.locator(".file--ready")).to_be_visible(timeout=60_000)
    page.goto("/mine")
    expect(row(page, "before.txt")).to_be_visible()

    other = browser.new_context(base_url=fleet.url)
    stranger = other.new_page()
    stranger.goto("/mine")
    expect(stranger.locator("main")).to_contain_text("Nothing was sent from this browser yet")
    other.close()

    alice.sign_in(context)
    page.goto("/mine")
    expect(page.locator(".mine__claim")).to_contain_text("1 transfer was sent from this browser")
    page.get_by_role("button", name="Take them into my account").click()
    expect(page.locator(".notice--success")).to_contain_text("1 transfer is in your account now.")
    expect(row(page, "before.txt")).to_be_visible()
