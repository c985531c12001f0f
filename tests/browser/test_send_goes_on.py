"""Sending goes on where it was: after a pause, a lost line, a reload, a crash; no byte that is kept is sent again."""

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Error, Page, expect

from tests.browser.sending import (
    MIB,
    choose,
    durable_bytes,
    expect_ready,
    kept_files,
    offsets_sent,
    send,
    set_line,
    slow_down,
    wait_for_bytes,
)
from tests.e2e.clients import random_file

# Slow enough that there is a middle, also on a machine that does much else.
SLOW = 2 * MIB


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """Without the check of its console: a line that is cut is an error there."""
    return context.new_page()


def file_of(tmp_path: Path, name: str, mib: int) -> Path:
    path = tmp_path / name
    random_file(path, mib * MIB)
    return path


def crash(page: Page) -> None:
    with page.expect_event("crash"), pytest.raises(Error):
        page.goto("chrome://crash")


def test_one_file_pauses_while_another_goes_on(page: Page, tmp_path: Path) -> None:
    page.goto("/")
    choose(page, file_of(tmp_path, "waits.bin", 20), file_of(tmp_path, "goes.bin", 4))
    line = slow_down(page, SLOW)
    send(page)
    page.get_by_role("button", name="Pause: waits.bin").click()
    expect(page.locator("#local-files li", has_text="waits.bin")).to_contain_text("paused")
    expect(page.locator("#remote-files li", has_text="goes.bin")).to_contain_text("ready", timeout=30_000)
    expect(page.locator("#standing")).to_contain_text("Paused. We kept")
    set_line(line, -1)
    page.get_by_role("button", name="Go on: waits.bin").click()
    expect_ready(page)


def test_a_lost_line_is_told_and_sending_goes_on_by_itself_when_it_is_back(
    page: Page, tmp_path: Path
) -> None:
    page.goto("/")
    # More than one request carries: Chromium lets the one that is on its way come to its end.
    choose(page, file_of(tmp_path, "a.bin", 72))
    line = slow_down(page, SLOW)
    send(page)
    wait_for_bytes(page, 0)
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.method))
    set_line(line, 0)
    standing = page.locator("#standing")
    expect(standing).to_contain_text("You are offline. We kept", timeout=10_000)
    expect(standing).to_contain_text("goes on by itself when the connection is back")
    for _ in range(600):
        if "PATCH" in failed:
            break
        page.wait_for_timeout(100)
    assert "PATCH" in failed
    kept, offsets = durable_bytes(page), offsets_sent(page)
    set_line(line, -1)
    expect_ready(page)
    assert offsets()[0] >= kept > 0


def test_after_a_reload_small_files_go_on_by_themselves_and_large_ones_are_asked_for(
    page: Page, tmp_path: Path
) -> None:
    large = file_of(tmp_path, "large.bin", 16)
    page.goto("/")
    choose(page, large, file_of(tmp_path, "small.bin", 9))
    line = slow_down(page, SLOW)
    send(page)
    wait_for_bytes(page, 0)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    before = {file["name"]: file["offset"] for file in kept_files(page)}
    offsets = offsets_sent(page)
    expect(page.locator("#standing")).to_contain_text("Choose the same file again", timeout=30_000)
    set_line(line, -1)
    expect(page.locator("#remote-files li", has_text="small.bin")).to_contain_text("ready")
    assert offsets()[0] >= before["small.bin"]
    offsets().clear()
    choose(page, large)
    expect_ready(page)
    assert offsets()[0] >= before["large.bin"] > 0


def test_after_a_crash_the_first_page_offers_to_go_on_and_a_file_the_browser_may_read_needs_no_asking(
    page: Page, context: BrowserContext
) -> None:
    page.goto("/")
    # Only the window for choosing is replaced: its answer is a handle of the browser's own file system.
    page.evaluate("""async () => {
        const root = await navigator.storage.getDirectory();
        const handle = await root.getFileHandle("film.bin", { create: true });
        const writing = await handle.createWritable();
        await writing.write(new Uint8Array(24 * 2 ** 20));
        await writing.close();
        window.showOpenFilePicker = async () => [handle];
    }""")
    page.get_by_role("button", name="choose files").click()
    slow_down(page, SLOW)
    page.locator("#choices summary").click()
    page.locator("#choice-title").fill("Our film")
    send(page)
    wait_for_bytes(page, 0)
    kept = durable_bytes(page)
    crash(page)

    again = context.new_page()
    again.goto("/")
    offer = again.locator("#unfinished")
    expect(offer).to_contain_text("Our film")
    expect(offer).to_contain_text("0 of 1 files")
    offsets = offsets_sent(again)
    again.get_by_role("link", name="Go on: Our film").click()
    expect_ready(again)
    assert offsets()[0] >= kept > 0
    again.goto("/")
    expect(again.locator("#unfinished")).to_be_hidden()
    assert again.evaluate("localStorage.getItem('spillway.unfinished')") == "[]"


def test_a_file_that_has_changed_since_is_sent_from_the_beginning(page: Page, tmp_path: Path) -> None:
    path = file_of(tmp_path, "report.bin", 24)
    page.goto("/")
    choose(page, path)
    line = slow_down(page, SLOW)
    send(page)
    wait_for_bytes(page, 0)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.locator("#standing")).to_contain_text("Choose the same file again")
    set_line(line, -1)
    offsets = offsets_sent(page)
    random_file(path, 24 * MIB, seed=2)
    choose(page, path)
    expect(page.locator("#notice")).to_contain_text("report.bin has changed since")
    expect_ready(page)
    assert offsets()[0] == 0
    assert len(kept_files(page)) == 1


def test_what_is_offered_can_be_forgotten(page: Page, context: BrowserContext, tmp_path: Path) -> None:
    page.goto("/")
    choose(page, file_of(tmp_path, "a.bin", 24))
    slow_down(page, SLOW)
    send(page)
    wait_for_bytes(page, 0)
    page.close()
    again = context.new_page()
    again.goto("/")
    again.get_by_role("button", name="Forget").click()
    expect(again.locator("#unfinished")).to_be_hidden()
    again.reload()
    again.wait_for_load_state("networkidle")
    expect(again.locator("#unfinished")).to_be_hidden()


def test_a_transfer_is_sent_from_one_window_at_a_time(
    page: Page, context: BrowserContext, tmp_path: Path
) -> None:
    page.goto("/")
    choose(page, file_of(tmp_path, "a.bin", 9))
    line = slow_down(page, MIB)
    send(page)
    wait_for_bytes(page, 0)
    second = context.new_page()
    offsets = offsets_sent(second)
    second.goto(page.url)
    expect(second.locator("#standing")).to_contain_text("is being sent from another window")
    set_line(line, -1)
    expect_ready(page)
    expect_ready(second)
    assert offsets() == []


def test_leaving_asks_first_while_files_are_sent_and_not_after(page: Page, tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]
        dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", answer)
    page.goto("/")
    choose(page, file_of(tmp_path, "a.bin", 12))
    line = slow_down(page, MIB)
    send(page)
    wait_for_bytes(page, 0)
    page.close(run_before_unload=True)
    page.wait_for_timeout(500)
    assert asked == ["beforeunload"]
    set_line(line, -1)
    expect_ready(page)
    page.goto("/")
    assert asked == ["beforeunload"]
