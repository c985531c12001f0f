"""The site writes for a sender: the link to several people, and word of the first download. Nothing lost or doubled."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.letters import letter_to, letters_to, words_of
from tests.browser.people import address_of, person, sign_in
from tests.browser.sending import choose, expect_ready, send
from tests.browser.test_my_transfers import act, row
from tests.e2e.fleet import Fleet

TITLE = "Minutes of the meeting"
# No mail of another test goes there.
RUN = uuid.uuid4().hex[:8]
BOB, CARLA, DORA = (f"{name}-{RUN}@example.net" for name in ("bob", "carla", "dora"))


@dataclass(frozen=True)
class Mara:
    """Who sends: her name to sign in with, and the browser in which she is."""

    name: str
    context: BrowserContext


@pytest.fixture(scope="module")
def mara(browser: Browser, guarded_fleet: Fleet) -> Iterator[Mara]:
    name, context = person(guarded_fleet), browser.new_context(base_url=guarded_fleet.url)
    page = context.new_page()
    sign_in(page, name)
    page.wait_for_url(lambda url: "/login/" not in url)
    page.close()
    yield Mara(name, context)
    context.close()


def chosen(page: Page, path: Path, title: str, emails: str) -> None:
    """A file, a title, and whom the link is mailed to; not sent yet."""
    path.write_text("All agreed.")
    page.goto("/")
    choose(page, path)
    page.locator("#choices summary").click()
    page.locator("#choice-title").fill(title)
    page.locator("#choice-emails").fill(emails)


@pytest.fixture(scope="module")
def link(mara: Mara, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What Mara sent, with the choices to mail its link to two people and to be told of the first download."""
    page = mara.context.new_page()
    chosen(page, tmp_path_factory.mktemp("mail") / "minutes.txt", TITLE, f"{BOB}\n{CARLA}")
    page.get_by_label("Tell me at the first download").check()
    expect(page.locator("[data-summary]")).to_contain_text(
        "you are told of the first download · mailed to 2 people"
    )
    send(page)
    expect_ready(page)
    address = page.locator("#link-address").input_value()
    page.close()
    return address


def download(browser: Browser, link: str) -> None:
    """By somebody who was not here before."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(link)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.path().read_text() == "All agreed."
    context.close()


def test_the_sender_is_told_of_the_first_download_and_not_of_the_second(
    mara: Mara, link: str, browser: Browser, guarded_fleet: Fleet
) -> None:
    assert letters_to(guarded_fleet, address_of(mara.name)) == []
    download(browser, link)
    letter = letter_to(guarded_fleet, address_of(mara.name))
    assert letter["Subject"] == f"Downloaded: {TITLE}"
    assert link in words_of(letter).split()
    download(browser, link)

    page = mara.context.new_page()
    page.goto("/mine")
    expect(row(page, TITLE).locator(".spark__total")).to_have_text("2")
    act(page, TITLE, "Mail the link")
    page.locator("#mail-emails").fill(f"{DORA} dora.example.net")
    page.locator("#sheet").get_by_role("button", name="Send").click()
    expect(page.locator("#sheet [role=alert]")).to_have_text("dora.example.net is not an e-mail address.")
    expect(page.locator("#mail-emails")).to_have_value(f"{DORA} dora.example.net")
    page.locator("#mail-emails").fill(DORA)
    page.locator("#sheet").get_by_role("button", name="Send").click()
    expect(page.locator("#mine-said")).to_have_text("1 mail goes out.")
    # A mail about the second download would have been written before this one: what is due goes out in its order.
    letter_to(guarded_fleet, DORA)
    assert len(letters_to(guarded_fleet, address_of(mara.name))) == 1
    page.close()


def test_the_link_is_mailed_to_each_person_once_every_file_is_there(
    mara: Mara, link: str, browser: Browser, guarded_fleet: Fleet
) -> None:
    for address, other in ((BOB, CARLA), (CARLA, BOB)):
        letter = letter_to(guarded_fleet, address)
        assert letter["Subject"] == TITLE
        assert link in words_of(letter).split()
        assert "1 file, 11" in words_of(letter)
        assert other not in letter.as_string()
    recipients = browser.new_context()
    bob = recipients.new_page()
    bob.goto(link)
    expect(bob.locator(".file")).to_contain_text("minutes.txt")
    recipients.close()

    page = mara.context.new_page()
    page.goto("/mine")
    expect(row(page, TITLE)).not_to_contain_text("wait", timeout=20_000)
    act(page, TITLE, "Mail the link")
    told = page.locator("#sheet .mails li")
    expect(told.filter(has_text=BOB)).to_contain_text("sent")
    expect(told.filter(has_text=CARLA)).to_contain_text("sent")
    page.close()


def transfers_of(fleet: Fleet, name: str) -> int:
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        found = database.execute(
            "SELECT count(*) FROM transfers_transfer JOIN accounts_user AS sender ON sender.id = owner_id"
            " WHERE username = %s",
            [name],
        ).fetchone()
    assert found is not None
    return int(found[0])


def test_an_address_that_is_none_is_told_at_its_field_and_nothing_is_lost(
    mara: Mara, guarded_fleet: Fleet, tmp_path: Path
) -> None:
    # A refusal is an error in a browser's console: not a page that must have none.
    page, before = mara.context.new_page(), transfers_of(guarded_fleet, mara.name)
    chosen(page, tmp_path / "minutes.txt", "A draft", f"{DORA}\nbob.example.net")
    page.locator("#send").click()
    expect(page.locator("#choice-emails-error")).to_have_text("bob.example.net is not an e-mail address.")
    expect(page.locator("#choice-emails")).to_be_focused()
    expect(page.locator("#choice-emails")).to_have_value(f"{DORA}\nbob.example.net")
    expect(page.locator("#choice-title")).to_have_value("A draft")
    expect(page.locator("#local-files li")).to_have_count(1)
    assert transfers_of(guarded_fleet, mara.name) == before
    page.locator("#choice-emails").fill("")
    expect(page.locator("#choice-emails-error")).to_be_hidden()
    send(page)
    expect_ready(page)
    page.close()
