"""A browser without JavaScript sends small files by a plain form."""

from pathlib import Path

import requests
from playwright.sync_api import BrowserContext, expect

from tests.e2e.clients import wait_ready
from tests.e2e.fleet import Fleet


def test_small_files_are_sent_without_any_script(plain: BrowserContext, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "b.bin").write_bytes(bytes(3 * 2**20))
    page = plain.new_page()
    page.goto("/")
    expect(page.locator("#workbench")).to_be_hidden()
    page.locator("#plain-files").set_input_files([str(tmp_path / "a.txt"), str(tmp_path / "b.bin")])
    page.locator("#plain-title").fill("Without script")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("h1")).to_have_text("Sent")
    link = page.locator("main a").first.get_attribute("href") or ""
    assert [file["name"] for file in wait_ready(link, count=2)] == ["a.txt", "b.bin"]
    page.goto(link)
    expect(page.locator("body")).to_contain_text("Without script")


def test_more_than_a_form_may_send_is_refused_with_a_page_that_says_so(
    plain: BrowserContext, tmp_path: Path
) -> None:
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(40 * 2**20)
    page = plain.new_page()
    page.goto("/")
    page.locator("#plain-files").set_input_files(str(tmp_path / "large.bin"))
    page.get_by_role("button", name="Send").click()
    expect(page.locator("body")).to_contain_text("more than a form without JavaScript may send")


def test_a_form_without_our_token_is_refused(fleet: Fleet) -> None:
    answer = requests.post(f"{fleet.url}/send", files={"files": ("a.txt", b"hello")}, timeout=10)
    assert answer.status_code == 403
