"""A person sends, loses the page in the middle, goes on, and another person receives."""

import hashlib
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, Request, expect

from tests.e2e.clients import random_file, upload, wait_ready
from tests.e2e.fleet import Fleet, wait_until

MIB = 2**20


def choose(page: Page, *paths: Path) -> None:
    page.locator("#drop input[type=file]").first.set_input_files([str(path) for path in paths])


def slow_down(page: Page, bytes_per_second: int) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second},
    )


def durable_bytes(page: Page, fleet: Fleet) -> int:
    """What the server says it keeps of the transfer this page shows."""
    address, _, secret = page.url.partition("#")
    headers = {"Transfer-Secret": secret, "Accept": "application/json"}
    body = requests.get(f"{address}/files", headers=headers, timeout=10).json()
    return sum(file["offset"] for file in body["files"])


def link_of(page: Page) -> str:
    expect(page.locator("#link")).to_be_visible(timeout=60_000)
    return page.locator("#link-address").input_value()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_upload_survives_a_reload_and_reaches_its_recipient(
    page: Page, browser: Browser, fleet: Fleet, tmp_path: Path
) -> None:
    path = tmp_path / "holiday film.bin"
    digest = random_file(path, 48 * MIB)
    page.goto("/")
    choose(page, path)
    slow_down(page, 6 * MIB)
    page.locator("#send").click()
    page.wait_for_url("**/m/*")
    wait_until(lambda: durable_bytes(page, fleet) > 8 * MIB, 60, "some bytes durable", every_seconds=0.5)

    page.reload()
    kept = durable_bytes(page, fleet)
    offsets: list[int] = []

    def note(request: Request) -> None:
        if request.method == "PATCH":
            offsets.append(int(request.headers["upload-offset"]))

    page.on("request", note)
    choose(page, path)
    expect(page.locator("#remote-files")).to_contain_text("Ready", timeout=60_000, ignore_case=True)
    assert offsets[0] >= kept > 0

    recipient = browser.new_context()
    bob = recipient.new_page()
    bob.goto(link_of(page))
    expect(bob.locator("body")).to_contain_text("holiday film.bin")
    with bob.expect_download() as download:
        bob.locator("a[href*='/d/']").first.click()
    assert download.value.suggested_filename == "holiday film.bin"
    received = tmp_path / "received"
    download.value.save_as(received)
    recipient.close()
    assert sha256(received) == digest


def _stands_still(page: Page, fleet: Fleet) -> bool:
    before = durable_bytes(page, fleet)
    page.wait_for_timeout(3000)
    return durable_bytes(page, fleet) == before


def test_sending_can_be_paused_and_gone_on_with(page: Page, fleet: Fleet, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    random_file(path, 24 * MIB)
    page.goto("/")
    choose(page, path)
    slow_down(page, 4 * MIB)
    page.locator("#send").click()
    page.wait_for_url("**/m/*")
    wait_until(lambda: durable_bytes(page, fleet) > 0, 30, "some bytes durable", every_seconds=0.5)
    page.locator("[data-do=pause]").click()
    expect(page.locator("#standing")).to_contain_text("Paused. We kept")
    wait_until(lambda: _stands_still(page, fleet), 20, "nothing arrives while paused")
    assert durable_bytes(page, fleet) < 24 * MIB
    page.locator("[data-do=resume]").click()
    expect(page.locator("#remote-files")).to_contain_text("Ready", timeout=60_000, ignore_case=True)


def test_a_password_keeps_the_link_closed_until_it_is_given(
    page: Page, browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("the secret")
    page.goto("/")
    choose(page, path)
    page.locator("#choices summary").click()
    page.locator("#choice-password").fill("correct horse")
    page.locator("#send").click()
    link = link_of(page)
    recipient = browser.new_context()
    bob = recipient.new_page()
    bob.goto(link)
    expect(bob.locator("body")).not_to_contain_text("secret.txt")
    bob.locator("input[type=password]").fill("correct horse")
    bob.locator("main button[type=submit]").click()
    expect(bob.locator("body")).to_contain_text("secret.txt")
    expect(bob.locator("a[href*='/d/']").first).to_be_visible(timeout=30_000)
    recipient.close()


@pytest.mark.parametrize(
    ("name", "markup"),
    [
        (
            "page.html",
            "<!doctype html><script>parent.document.title = 'it ran'; document.title = 'it ran'</script>",
        ),
        (
            "drawing.svg",
            "<svg xmlns='http://www.w3.org/2000/svg'><script>document.title = 'it ran'</script></svg>",
        ),
    ],
)
def test_markup_opened_by_its_link_is_saved_and_does_not_run(
    page: Page, fleet: Fleet, name: str, markup: str
) -> None:
    file = wait_ready(upload(fleet.url, markup.encode(), name=name)[0])[0]
    page.goto("/")
    with page.expect_download() as download:
        page.evaluate("address => { location.href = address }", file["url"])
    assert download.value.suggested_filename == name
    assert page.title() != "it ran"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_send_page_fits_a_phone(browser: Browser, fleet: Fleet, scheme: str) -> None:
    phone = browser.new_context(viewport={"width": 320, "height": 640}, color_scheme=scheme)  # type: ignore[arg-type]
    page = phone.new_page()
    page.goto(fleet.url)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    phone.close()
