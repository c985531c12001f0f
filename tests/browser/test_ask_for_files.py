"""Somebody asks for files; a guest sends them; they arrive, and whoever asked is told by mail."""

import hashlib
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.alice import Person
from tests.browser.test_my_transfers import act, row
from tests.browser.test_send_and_receive import choose
from tests.browser.visits import status_of
from tests.e2e.clients import random_file
from tests.e2e.fleet import Fleet, wait_until


def mails(fleet: Fleet) -> str:
    """What the site's mails say: each is a file, as nobody said where to send them."""
    return "".join(path.read_text(errors="replace") for path in (fleet.data / "mail").iterdir())


def test_files_that_were_asked_for_arrive_and_are_told_of_by_mail(
    alice: Person, context: BrowserContext, page: Page, browser: Browser, fleet: Fleet, tmp_path: Path
) -> None:
    alice.sign_in(context)
    page.goto("/mine/requests")
    page.get_by_label("What you ask for").fill("Photos of the weekend")
    page.get_by_role("button", name="Make the link").click()
    expect(page.locator(".notice--success")).to_contain_text("Your request is open.")
    link = page.locator("li.sent code").first.inner_text()

    path = tmp_path / "lake.bin"
    digest = random_file(path, 2**20)
    guests = browser.new_context(base_url=fleet.url)
    guest = guests.new_page()
    guest.goto(link)
    expect(guest.locator(".asked")).to_contain_text("Alice Ames asks you for")
    expect(guest.locator(".asked")).to_contain_text("Photos of the weekend")
    choose(guest, path)
    guest.locator("#choice-name").fill("Bob Burns")
    guest.locator("#send").click()
    expect(guest.locator("#remote-files")).to_contain_text("Ready", timeout=60_000, ignore_case=True)
    guests.close()

    page.goto("/mine/received")
    received = row(page, "Photos of the weekend")
    expect(received).to_contain_text("from Bob Burns")
    expect(received).to_contain_text("1 file")
    received.get_by_role("link", name="Photos of the weekend").click()
    with page.expect_download() as download:
        page.locator("a[href*='/d/']").first.click()
    download.value.save_as(tmp_path / "received")
    assert hashlib.sha256((tmp_path / "received").read_bytes()).hexdigest() == digest
    wait_until(
        lambda: "Bob Burns sent you files through your request." in mails(fleet), 40, "the mail is out"
    )

    page.goto("/mine/requests")
    page.locator("li.sent").first.get_by_role("button", name="Close").click()
    expect(page.locator("li.sent").first.locator(".state")).to_have_text("closed")
    guests = browser.new_context(base_url=fleet.url)
    late = guests.new_page()
    assert status_of(late, link) == 410
    expect(late.locator("main")).to_contain_text("This request has ended")
    guests.close()


def test_a_link_is_mailed_to_several_people(
    alice: Person, context: BrowserContext, page: Page, fleet: Fleet
) -> None:
    alice.has_sent(1)
    alice.sign_in(context)
    page.goto("/mine")
    act(page, "Transfer 0", "Mail the link")
    page.locator("#mail-emails").fill("bob@example.net\ncharlie@example.net")
    page.locator("#sheet").get_by_role("button", name="Send").click()
    expect(page.locator("#mine-said")).to_have_text("2 mails go out.")
    told = ("To: bob@example.net", "To: charlie@example.net")
    wait_until(lambda: all(line in mails(fleet) for line in told), 40, "both mails are out")
    expect(row(page, "Transfer 0")).not_to_contain_text("wait", timeout=20_000)
    act(page, "Transfer 0", "Mail the link")
    expect(page.locator("#sheet .mails")).to_contain_text("sent")
