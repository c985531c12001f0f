"""The console in a real Chromium, on a real fleet: an instance is drained by a click and nobody notices."""

from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.fleet import Fleet, wait_until
from tests.e2e.load import Load


@pytest.fixture
def signed_in(page: Page, fleet: Fleet) -> Page:
    """The administrator's browser."""
    page.goto("/accounts/login/?next=/admin/")
    page.locator("input[name=login]").fill("admin")
    page.locator("input[name=password]").fill((fleet.data / "admin-password").read_text().strip())
    page.locator("main button[type=submit]").first.click()
    expect(page.locator("#c-dashboard")).to_be_visible()
    return page


def _replaced(fleet: Fleet, name: str, pid: int) -> bool:
    unit = fleet.unit(name)
    return unit["pid"] not in {pid, None} and unit["state"] == "ready"


def test_an_instance_is_drained_by_a_click_under_load_and_a_fresh_one_takes_its_place(
    signed_in: Page, fleet: Fleet
) -> None:
    pid = fleet.unit("web-2")["pid"]
    with Load(fleet.port, ["/", "/accounts/login/"], clients=4) as load:
        signed_in.goto("/admin/console/fleet/")
        signed_in.locator("#c-drain-web-2").click()
        signed_in.get_by_label("Reason (for the audit log)").fill("new disk")
        signed_in.get_by_role("button", name="Drain it").click()
        expect(signed_in.get_by_text("web-2 was told to drain.")).to_be_visible()
        # The page refreshes itself: first the instance drains, in the end its successor is ready.
        gate = signed_in.locator(".c-gate", has_text="web-2")
        expect(gate).to_contain_text("draining", timeout=20_000)
        wait_until(partial(_replaced, fleet, "web-2", pid), 60, "a fresh web-2")
        expect(gate).to_contain_text("ready", timeout=20_000)
        expect(signed_in.get_by_text("a fresh one took its place").first).to_be_visible(timeout=20_000)
    assert load.failed == {}
    assert load.served > 50


def test_the_dashboard_refreshes_itself_and_whoever_reads_it_stays_where_they_were(signed_in: Page) -> None:
    link = signed_in.locator("#c-drain-web-1")
    link.focus()
    signed_in.evaluate("scrollTo(0, 200)")
    signed_in.evaluate("document.querySelector('.c-figures').dataset.seen = 'yes'")
    expect(signed_in.locator(".c-figures[data-seen]")).to_have_count(0, timeout=15_000)
    expect(link).to_be_focused()
    assert signed_in.evaluate("scrollY") == 200


def test_the_console_fits_a_phone(signed_in: Page) -> None:
    signed_in.set_viewport_size({"width": 375, "height": 800})
    for path in ("/admin/", "/admin/console/fleet/", "/admin/console/throttled/", "/admin/console/storage/"):
        signed_in.goto(path)
        wide = signed_in.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, path
