"""Files come in by every way a browser has: chosen, dropped, pasted, alone or in folders."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.sending import choose, expect_ready, kept_files, send
from tests.e2e.fleet import Fleet


@pytest.fixture
def trip(tmp_path: Path) -> Path:
    """A folder with another one in it, and the same name in both."""
    folder = tmp_path / "trip"
    (folder / "day 1").mkdir(parents=True)
    (folder / "notes.txt").write_text("of the whole trip")
    (folder / "day 1" / "notes.txt").write_text("of day 1")
    return folder


def places(page: Page) -> set[tuple[str, str]]:
    return {(file["folder"], file["name"]) for file in kept_files(page)}


IN_TRIP = {("trip", "notes.txt"), ("trip/day 1", "notes.txt")}


def test_a_chosen_folder_keeps_its_structure(page: Page, trip: Path) -> None:
    page.goto("/")
    page.locator("[data-input=folder]").set_input_files(str(trip))
    rows = page.locator("#local-files .file__name")
    expect(rows).to_have_count(2)
    assert set(rows.all_inner_texts()) == {"trip/notes.txt", "trip/day 1/notes.txt"}
    send(page)
    expect_ready(page)
    assert places(page) == IN_TRIP
    assert set(page.locator("#remote-files .file__name").all_inner_texts()) == {
        "trip/notes.txt",
        "trip/day 1/notes.txt",
    }


def test_a_folder_and_a_file_dropped_together_keep_theirs(page: Page, trip: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.txt"
    alone.write_text("by itself")
    page.goto("/")
    session = page.context.new_cdp_session(page)
    # Beside the basin: the whole page takes what is dropped.
    data = {"items": [], "files": [str(trip), str(alone)], "dragOperationsMask": 1}
    for step in ("dragEnter", "dragOver"):
        session.send("Input.dispatchDragEvent", {"type": step, "x": 20, "y": 500, "data": data})
    expect(page.locator(".basin")).to_have_attribute("data-over", "")
    session.send("Input.dispatchDragEvent", {"type": "drop", "x": 20, "y": 500, "data": data})
    expect(page.locator("#local-files li")).to_have_count(3)
    expect(page.locator(".basin")).not_to_have_attribute("data-over", "")
    send(page)
    expect_ready(page)
    assert places(page) == {*IN_TRIP, ("", "alone.txt")}


PASTE = """([kind, target]) => {
  const clipboardData = new DataTransfer();
  if (kind === "image") clipboardData.items.add(new File(["not really one"], "image.png", { type: "image/png" }));
  else clipboardData.setData("text/plain", kind);
  const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
  document.querySelector(target).dispatchEvent(event);
}"""


def test_what_is_pasted_is_taken_but_not_what_is_pasted_into_a_field(page: Page) -> None:
    page.goto("/")
    page.evaluate(PASTE, ["image", "body"])
    page.evaluate(PASTE, ["some words", "body"])
    rows = page.locator("#local-files li")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("Pasted image")
    expect(rows.nth(0)).to_contain_text(".png")
    expect(rows.nth(1)).to_contain_text("Pasted text")
    page.evaluate(PASTE, ["a title", "#choice-title"])
    page.wait_for_timeout(200)
    expect(rows).to_have_count(2)


def test_files_are_added_and_removed_before_sending_and_after(page: Page, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.txt", "b.txt", "c.txt")]
    for path in paths:
        path.write_text(path.name)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("/")
    choose(page, paths[0], paths[1])
    page.get_by_role("button", name="Remove a.txt").click()
    expect(page.locator("#local-files li")).to_have_count(1)
    # The keyboard stays where it was.
    expect(page.get_by_role("button", name="Remove b.txt")).to_be_focused()
    send(page)
    expect_ready(page)
    choose(page, paths[2])
    expect(page.locator("#remote-files li")).to_have_count(2, timeout=30_000)
    expect_ready(page)
    page.get_by_role("button", name="Remove b.txt").click()
    expect(page.locator("#remote-files li")).to_have_count(1, timeout=10_000)
    assert places(page) == {("", "c.txt")}


def test_only_a_phone_is_offered_its_camera(browser: Browser, fleet: Fleet) -> None:
    phone = browser.new_context(viewport={"width": 375, "height": 700}, is_mobile=True, has_touch=True)
    page = phone.new_page()
    page.goto(fleet.url)
    expect(page.locator("[data-pick=camera]")).to_be_visible()
    expect(page.locator("[data-pick=folder]")).to_be_hidden()
    assert page.locator("[data-input=camera]").get_attribute("capture") == "environment"
    phone.close()
    desk = browser.new_context()
    page = desk.new_page()
    page.goto(fleet.url)
    expect(page.locator("[data-pick=camera]")).to_be_hidden()
    expect(page.locator("[data-pick=folder]")).to_be_visible()
    desk.close()
