"""A recipient opens a link: looks at what is there, takes all of it, some of it, and goes on after a break."""

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import samples
from tests.e2e.clients import wait_ready
from tests.e2e.fleet import Fleet, wait_until

TEXT = "Grüße\n<script>document.title = 'run'</script>\n"


@pytest.fixture(scope="module")
def holiday(running_fleet: Fleet, browser: Browser) -> tuple[str, dict[str, bytes]]:
    """A link with one file of each kind, and what is in them by their paths."""
    page = browser.new_page()
    page.goto(running_fleet.url)
    files = {
        "holiday.jpg": samples.picture(1600, 1000, turned=True),
        "plan.pdf": samples.document(2),
        "notes.txt": TEXT.encode(),
        "bundle.zip": samples.archive(**{"inside/a.txt": b"hello"}),
        "film.webm": samples.film(page),
        "Bilder/Größe 日本.bin": os.urandom(3_000_000),
        "Bilder/notes.txt": b"another of that name",
    }
    page.close()
    link = samples.send(running_fleet.url, files, title="Holiday", message="See you soon")
    wait_ready(link, count=len(files))
    wait_until(
        lambda: requests.get(link, timeout=10).text.count("<img") == 2, 60, "thumbnails", every_seconds=0.5
    )
    return link, files


def look_at(page: Page, link: str, name: str) -> None:
    page.goto(link)
    page.get_by_role("link", name=name, exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def is_painted(page: Page, selector: str) -> bool:
    return bool(page.evaluate(f"document.querySelector({selector!r}).naturalWidth > 0"))


def holds(page: Page, condition: str) -> None:
    """Wait for it from outside: within the page our own policy forbids to evaluate text."""
    wait_until(lambda: page.evaluate(condition), 30, condition)


def test_the_page_says_what_there_is(page: Page, fleet: Fleet, holiday: Any) -> None:
    link, files = holiday
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("Holiday")
    expect(page.locator(".file")).to_have_count(len(files))
    expect(page.get_by_role("button", name="Download all (7 files")).to_be_visible()
    expect(page.get_by_role("link", name="Report this transfer")).to_be_visible()
    holds(page, "[...document.images].every((image) => image.complete && image.naturalWidth > 0)")


def test_each_kind_of_file_is_shown_in_a_way_of_its_own(page: Page, fleet: Fleet, holiday: Any) -> None:
    link, _ = holiday
    look_at(page, link, "holiday.jpg")
    holds(page, "document.querySelector('.preview img').naturalWidth > 0")
    # It was taken lying, and is shown standing.
    assert page.evaluate("document.querySelector('.preview img').naturalHeight") == 1600
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("plan.pdf")
    expect(page.get_by_alt_text("Page 2")).to_be_attached()
    look_at(page, link, "notes.txt")
    expect(page.locator(".preview__text li").nth(1)).to_have_text("<script>document.title = 'run'</script>")
    assert "run" not in page.title()
    look_at(page, link, "bundle.zip")
    expect(page.locator("td").first).to_have_text("inside/a.txt")


def test_a_film_plays_and_can_be_wound_forward(page: Page, fleet: Fleet, holiday: Any) -> None:
    link, files = holiday
    look_at(page, link, "film.webm")
    holds(page, "document.querySelector('video').readyState >= 1")
    page.evaluate("document.querySelector('video').currentTime = 0.5")
    holds(page, "!document.querySelector('video').seeking")
    assert page.evaluate("document.querySelector('video').error") is None
    source = page.evaluate("document.querySelector('video').src")
    part = requests.get(source, headers={"Range": "bytes=100-199"}, timeout=20)
    assert (part.status_code, part.content) == (206, files["film.webm"][100:200])


def test_nothing_of_a_preview_runs_and_no_other_site_can_use_it(
    page: Page, fleet: Fleet, holiday: Any
) -> None:
    link, _ = holiday
    page.goto(link)
    source = page.evaluate("document.querySelector('.file__thumbnail img').src")
    answer = requests.get(source, timeout=20)
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Content-Disposition"] == "inline"
    assert answer.headers["Content-Type"] == "image/webp"


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as found:
        return {name: found.read(name) for name in found.namelist()}


def test_all_files_come_as_one_zip_byte_for_byte(
    page: Page, fleet: Fleet, holiday: Any, tmp_path: Path
) -> None:
    link, files = holiday
    page.goto(link)
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name="Download all").click()
    assert download.value.suggested_filename == "Holiday.zip"
    download.value.save_as(tmp_path / "all.zip")
    found = {name: hashlib.sha256(data).hexdigest() for name, data in members(tmp_path / "all.zip").items()}
    assert found == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_some_files_come_as_one_zip(page: Page, fleet: Fleet, holiday: Any, tmp_path: Path) -> None:
    link, _files = holiday
    page.goto(link)
    page.get_by_label("Choose notes.txt").first.check()
    page.get_by_label("Choose plan.pdf").check()
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name="Download 2 chosen").click()
    download.value.save_as(tmp_path / "some.zip")
    assert set(members(tmp_path / "some.zip")) == {"notes.txt", "plan.pdf"}


def test_a_zip_that_broke_off_goes_on_where_it_was(fleet: Fleet, holiday: Any) -> None:
    link, files = holiday
    session = requests.Session()
    session.get(link, timeout=20)
    form = {"all": "1", "csrfmiddlewaretoken": session.cookies["csrftoken"]}
    asked = session.post(f"{link}/archives", form, timeout=20)
    state: dict[str, Any] = {}

    def is_ready() -> bool:
        state.update(session.get(asked.url, headers={"Accept": "application/json"}, timeout=20).json())
        return bool(state["state"] == "ready")

    wait_until(is_ready, 60, "the archive", every_seconds=0.5)
    first = session.get(state["url"], headers={"Range": "bytes=0-999999"}, timeout=20)
    rest = session.get(state["url"], headers={"Range": "bytes=1000000-"}, timeout=60)
    assert (first.status_code, rest.status_code) == (206, 206)
    with zipfile.ZipFile(io.BytesIO(first.content + rest.content)) as found:
        assert found.testzip() is None
        assert len(found.namelist()) == len(files)


@pytest.fixture
def without_scripts(browser: Browser, fleet: Fleet) -> Iterator[BrowserContext]:
    context = browser.new_context(java_script_enabled=False)
    yield context
    context.close()


def test_without_scripts_all_of_it_works_too(
    without_scripts: BrowserContext, fleet: Fleet, holiday: Any, tmp_path: Path
) -> None:
    link, _ = holiday
    page = without_scripts.new_page()
    page.goto(link)
    page.get_by_label("Choose bundle.zip").check()
    page.get_by_label("Choose notes.txt").last.check()
    page.get_by_role("button", name="Download the chosen ones").click()
    # The page looks again by itself.
    expect(page.get_by_role("link", name="Download", exact=True)).to_be_visible(timeout=30_000)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    download.value.save_as(tmp_path / "some.zip")
    assert set(members(tmp_path / "some.zip")) == {"bundle.zip", "Bilder/notes.txt"}


def test_a_password_comes_before_everything(page: Page, fleet: Fleet) -> None:
    files = {"a.jpg": samples.picture(), "b.txt": b"very secret"}
    link = samples.send(fleet.url, files, title="Secret plans", password="sesame")
    page.goto(link)
    expect(page.locator("body")).not_to_contain_text("Secret plans")
    page.get_by_label("Password").fill("sesame")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Secret plans")
    expect(page.get_by_role("button", name="Download all")).to_be_visible(timeout=30_000)
