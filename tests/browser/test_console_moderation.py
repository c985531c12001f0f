"""An operator takes a transfer down, restores it, blocks who sent it, lets them send again; those concerned see it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import people, samples
from tests.browser.console import (
    BLOCKS,
    TRANSFERS,
    act,
    do,
    expect_audited,
    find,
    id_in,
    named,
    row,
    search,
)
from tests.browser.elsewhere import browser_at
from tests.browser.sending import choose, expect_ready, send
from tests.e2e.clients import upload, wait_ready
from tests.e2e.fleet import Fleet

BLOCKED = "Sending from here has been blocked by whoever runs this site."


@pytest.fixture
def elsewhere(browser: Browser, fleet: Fleet) -> Iterator[BrowserContext]:
    """The browser of a sender who has a client address of their own."""
    with browser_at("127.0.77.1", browser, fleet) as context:
        yield context


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    """A file to send."""
    path = tmp_path / "plans.txt"
    path.write_text("The plans.")
    return path


def statuses(fleet: Fleet, path: str) -> list[int]:
    """What each instance answers by itself, without the proxy."""
    headers = {"Accept": "text/html", "Host": f"localhost:{fleet.port}"}
    return [
        requests.get(f"http://{each['address']}{path}", headers=headers, timeout=10).status_code
        for each in fleet.instances()
    ]


def test_a_transfer_is_taken_down_on_every_instance_at_once_and_opens_again_when_it_is_restored(
    operator: Page, context: BrowserContext, fleet: Fleet
) -> None:
    title, recipient = named("Leaked plans"), context.new_page()
    link = samples.send(fleet.url, {"plans.txt": b"The plans."}, title=title)
    (file,) = wait_ready(link)
    path = link.removeprefix(fleet.url)
    # All of them hold the page, and so whatever they would keep of it.
    assert statuses(fleet, path) == [200, 200, 200]
    recipient.goto(link)
    expect(recipient.get_by_role("heading", level=1)).to_have_text(title)

    find(operator, TRANSFERS, title)
    do(operator, "Take down…", "Take it down", "These plans were stolen")
    expect(operator.get_by_text("It is taken down.")).to_be_visible()
    assert statuses(fleet, path) == [410, 410, 410]
    answer = recipient.reload()
    assert answer is not None
    assert answer.status == 410
    expect(recipient.get_by_role("heading", level=1)).to_have_text("This transfer was taken down")
    expect(recipient.locator("body")).not_to_contain_text(title)
    assert requests.get(file["url"], timeout=10).status_code == 410

    do(operator, "Restore…", "Restore it")
    expect(operator.get_by_text("Its link works again.")).to_be_visible()
    assert statuses(fleet, path) == [200, 200, 200]
    recipient.reload()
    with recipient.expect_download() as download:
        recipient.get_by_role("link", name="Download", exact=False).first.click()
    assert download.value.path().read_bytes() == b"The plans."

    target = id_in(operator)
    expect_audited(operator, target, "transfer_taken_down", title, "These plans were stolen")
    expect_audited(operator, target, "transfer_restored", title)


def send_again(page: Page, path: Path) -> None:
    """Try to send one more."""
    page.goto("/")
    choose(page, path)
    page.locator("#send").click()


def test_a_blocked_account_is_told_so_in_words_and_may_send_again_when_the_block_is_lifted(
    operator: Page, elsewhere: BrowserContext, fleet: Fleet, plans: Path
) -> None:
    name, sender = people.person(fleet), elsewhere.new_page()
    people.sign_in(sender, name)
    expect(sender.locator("[data-menu]")).to_be_visible()
    send_again(sender, plans)
    expect_ready(sender)
    sender.goto("/")
    choose(sender, plans)

    search(operator, TRANSFERS, name)
    operator.locator("#result_list tbody th a").first.click()
    do(operator, "Block the sender…", "Block them", "Spam, again and again")
    expect(operator.get_by_text("The sender is blocked.")).to_be_visible()
    # A page that was open already, and a new one.
    sender.locator("#send").click()
    expect(sender.get_by_role("alert")).to_have_text(BLOCKED)
    sender.goto("/")
    expect(sender.get_by_role("heading", level=1)).to_have_text("You cannot send files here")
    expect(sender.get_by_text(BLOCKED)).to_be_visible()

    search(operator, BLOCKS, name)
    expect(row(operator, name)).to_contain_text("Spam, again and again")
    block = row(operator, name).locator("input.action-select").input_value()
    act(operator, name, "Let them send again")
    expect(operator.get_by_text("1 may send again.")).to_be_visible()
    send_again(sender, plans)
    expect_ready(sender)
    expect_audited(operator, block, "sender_blocked", name, "Spam, again and again")
    expect_audited(operator, block, "sender_unblocked", name)


def test_who_sent_without_an_account_is_blocked_by_address_and_nobody_else_is(
    operator: Page, elsewhere: BrowserContext, fleet: Fleet, plans: Path
) -> None:
    title, sender = named("Strange plans"), elsewhere.new_page()
    sender.goto("/")
    choose(sender, plans)
    sender.locator("#choices summary").click()
    sender.locator("#choice-title").fill(title)
    send(sender)
    expect_ready(sender)

    find(operator, TRANSFERS, title)
    do(operator, "Block the sender…", "Block them", "Spam")
    expect(operator.get_by_text("The sender is blocked.")).to_be_visible()
    # Without the cookies that it had: the address it is.
    elsewhere.clear_cookies()
    send_again(sender, plans)
    expect(sender.get_by_text(BLOCKED)).to_be_visible()
    assert upload(fleet.url, b"From another address.")[1].status_code == 201

    search(operator, BLOCKS, f"sender of “{title}")
    act(operator, title, "Let them send again")
    expect(operator.get_by_text("1 may send again.")).to_be_visible()
    send_again(sender, plans)
    expect_ready(sender)
