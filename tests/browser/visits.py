"""Owns how a test visits pages: what a page complains about, what an address answers, how a password is tried."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import BrowserContext, Page, Response


@contextmanager
def watched(context: BrowserContext) -> Iterator[Page]:
    """A new page. Whatever it complains about in its console fails the test at the block's end."""
    complaints: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(error.message))
    yield page
    assert complaints == []


def status_of(page: Page, address: str) -> int:
    """Go there; the answer's status."""
    answer = page.goto(address)
    assert answer is not None, (
        f"{address} was not asked for: it differs from where the page is by its fragment alone"
    )
    return answer.status


def enter_password(page: Page, password: str) -> Response:
    """Type a link's password and press the button; the first answer."""
    page.get_by_label("Password").fill(password)
    with page.expect_response(lambda answer: answer.url.endswith("/password")) as answer:
        page.get_by_role("button", name="Open").click()
    page.wait_for_load_state()
    return answer.value
