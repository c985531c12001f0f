"""Without JavaScript: a form that is refused comes back filled in, and a guest who was asked for files sends them."""

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.alice import Person
from tests.browser.test_my_transfers import row
from tests.e2e.fleet import Fleet


@pytest.fixture(scope="module")
def paula(running_fleet: Fleet) -> Person:
    """Who asks for files in this file."""
    return Person.make(running_fleet, "paula")


def a_file(folder: Path) -> str:
    (folder / "lake.txt").write_text("hello")
    return str(folder / "lake.txt")


def test_a_refused_form_comes_back_with_what_was_typed_and_is_sent_when_it_is_put_right(
    plain: BrowserContext, tmp_path: Path
) -> None:
    page = plain.new_page()
    page.goto("/")
    form = page.locator(".plain")
    form.get_by_label("Title").fill("Plans for the lake")
    form.get_by_label("Message").fill("See you\nthere")
    form.get_by_label("Password").fill("geheim")
    form.get_by_label("Files").set_input_files({"name": " ", "mimeType": "text/plain", "buffer": b"hello"})
    form.get_by_role("button", name="Send").click()

    files = form.get_by_label("Files")
    expect(files).to_have_attribute("aria-invalid", "true")
    expect(files).to_have_accessible_description(
        "One of the files has a name that cannot be used. Choose the files again: a browser does not keep them."
    )
    expect(page.get_by_role("alert")).to_contain_text("Nothing was sent.")
    expect(form.get_by_label("Title")).to_have_value("Plans for the lake")
    expect(form.get_by_label("Message")).to_have_value("See you\nthere")
    expect(form.get_by_label("Password")).to_have_value("")
    files.set_input_files(a_file(tmp_path))
    form.get_by_role("button", name="Send").click()
    expect(page.locator("h1")).to_have_text("Sent")


def asked_by(page: Page) -> str:
    """A new request's link."""
    page.goto("/mine/requests")
    page.get_by_label("What you ask for").fill("Photos of the lake")
    page.get_by_role("button", name="Make the link").click()
    return page.locator("li.sent code").first.inner_text()


def test_a_guest_sends_what_they_were_asked_for_and_it_shows_in_the_askers_list(
    paula: Person, context: BrowserContext, page: Page, plain: BrowserContext, tmp_path: Path
) -> None:
    paula.sign_in(context)
    guest = plain.new_page()
    guest.goto(asked_by(page))
    form = guest.locator(".plain")
    expect(form.locator(".asked")).to_contain_text("Paula Ames asks you for")
    expect(guest.locator("#workbench")).to_be_hidden()
    form.get_by_label("Files").set_input_files(a_file(tmp_path))
    form.get_by_label("Your name").fill("Bob Burns")
    form.get_by_role("button", name="Send").click()
    expect(guest.locator("h1")).to_have_text("Sent")
    expect(guest.locator("main")).to_contain_text("Paula Ames gets your files")

    page.goto("/mine/received")
    received = row(page, "Photos of the lake")
    expect(received).to_contain_text("from Bob Burns")
    expect(received).to_contain_text("1 file")
