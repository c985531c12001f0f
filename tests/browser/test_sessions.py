"""Somebody signs out everywhere else, and it holds on every instance at once."""

from playwright.sync_api import Browser, Page, expect

from tests.browser.people import person, sign_in
from tests.e2e.fleet import Fleet


def test_signing_out_everywhere_else_holds_on_every_instance_at_once(
    guarded: Page, browser: Browser, guarded_fleet: Fleet
) -> None:
    name = person(guarded_fleet)
    elsewhere = browser.new_context(
        base_url=guarded_fleet.url, user_agent="Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"
    )
    phone = elsewhere.new_page()
    sign_in(phone, name)
    phone.goto("/accounts/")
    expect(phone.get_by_role("heading", name="Your account")).to_be_visible()
    sign_in(guarded, name)
    guarded.goto("/accounts/sessions/")
    expect(guarded.locator(".row")).to_have_count(2)
    expect(guarded.locator("main")).to_contain_text("Firefox, Windows")
    guarded.get_by_role("button", name="Sign out everywhere else").click()
    expect(guarded.locator(".row")).to_have_count(1)
    # As often as makes every instance answer, whatever copies of the session it may have.
    seen: set[str] = set()
    while len(seen) < guarded_fleet.web:
        answer = phone.context.request.get("/accounts/", max_redirects=0)
        assert answer.status == 302
        seen.add(answer.headers["x-instance"])
    elsewhere.close()
