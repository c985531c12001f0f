"""The first page weighs little and does not jump."""

import gzip
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, Response

from tests.browser.sending import MIB, choose, send, slow_down, wait_for_bytes
from tests.e2e.clients import random_file
from tests.e2e.fleet import Fleet

MOST_BYTES = 150 * 1024  # gzipped, everything the first page loads
MOST_SHIFT = 0.01

WATCH = """
window.shifts = [];
const partOf = ({ node, previousRect, currentRect }) => ({
  what: (node?.outerHTML ?? String(node?.nodeValue)).slice(0, 80), from: previousRect.toJSON(),
  to: currentRect.toJSON(),
});
new PerformanceObserver((list) => {
  for (const { value, hadRecentInput, startTime, sources } of list.getEntries()) {
    if (!hadRecentInput) window.shifts.push({ value, startTime, parts: sources.map(partOf) });
  }
}).observe({ type: "layout-shift", buffered: true });
"""


def test_everything_the_first_page_loads_is_at_most_150_kb_gzipped(context: BrowserContext) -> None:
    page = context.new_page()
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto("/", wait_until="networkidle")
    # By our own measure, so that it does not matter what the proxy compresses.
    weights = {answer.url: len(gzip.compress(answer.body(), 9)) for answer in answers if answer.ok}
    assert any("send" in url for url in weights)
    assert sum(weights.values()) <= MOST_BYTES, weights
    assert all(answer.ok for answer in answers)


def test_all_of_it_comes_from_this_site(context: BrowserContext, fleet: Fleet) -> None:
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/", wait_until="networkidle")
    assert all(url.startswith((fleet.url, "data:")) for url in asked), asked


def watched(context: BrowserContext) -> Page:
    """A page that keeps what moves, in a browser slow enough to draw a page before it has read all of it."""
    page = context.new_page()
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 10})
    page.add_init_script(WATCH)
    return page


def stays_put(page: Page) -> None:
    """Nothing has moved by itself, also a moment later: what is drawn late counts."""
    page.wait_for_timeout(600)
    shifts = page.evaluate("window.shifts")
    assert sum(shift["value"] for shift in shifts) < MOST_SHIFT, shifts


def test_nothing_on_the_first_page_jumps(browser: Browser, fleet: Fleet) -> None:
    for width in (375, 1280):
        context = browser.new_context(viewport={"width": width, "height": 760})
        # More than once: what is drawn first depends on when the bytes come.
        for _ in range(3):
            page = watched(context)
            page.goto(fleet.url, wait_until="networkidle")
            stays_put(page)
            page.close()
        context.close()


def test_nothing_jumps_when_an_unfinished_transfer_is_offered(
    context: BrowserContext, tmp_path: Path
) -> None:
    path = tmp_path / "a.bin"
    random_file(path, 24 * MIB)
    page = context.new_page()
    page.goto("/")
    choose(page, path)
    slow_down(page, 2 * MIB)
    send(page)
    wait_for_bytes(page, 0)
    page.close()
    again = watched(context)
    again.goto("/")
    again.locator("[data-go-on]").wait_for()
    stays_put(again)
