"""A sender who is over a limit: told in words, once, and able to go on when there is room again."""

from pathlib import Path

import psycopg
from playwright.sync_api import BrowserContext, Request, expect

from tests.browser.test_send_and_receive import MIB, choose
from tests.e2e.clients import random_file, upload
from tests.e2e.fleet import Fleet


def reserve(fleet: Fleet, upload_url: str, count: int) -> None:
    """As if that upload of the same client address had announced so many bytes."""
    with psycopg.connect(fleet.environment["DATABASE_URL"]) as database:
        database.execute(
            "UPDATE uploads_upload SET reserved = %s WHERE id = %s", [count, upload_url.rsplit("/", 1)[1]]
        )


def test_a_sender_who_is_over_the_limit_is_told_once_and_goes_on_when_there_is_room(
    context: BrowserContext, fleet: Fleet, tmp_path: Path
) -> None:
    path = tmp_path / "too much.bin"
    random_file(path, MIB)
    _, other = upload(fleet.url, b"", name="other.bin", length=MIB)
    # A refusal is an error in a browser's console: not a page that must have none.
    page, tries = context.new_page(), []

    def note(request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/files/"):
            tries.append(request.url)

    page.on("request", note)
    page.goto("/")
    choose(page, path)
    reserve(fleet, other.headers["Location"], 2**50)
    page.locator("#send").click()
    row = page.locator("li[data-local]")
    expect(row).to_contain_text("This is more than you may have here at one time.", timeout=30_000)
    assert len(tries) == 1
    reserve(fleet, other.headers["Location"], MIB)
    row.locator("[data-pause]").click()
    expect(page.locator("#remote-files")).to_contain_text("Ready", timeout=60_000, ignore_case=True)
