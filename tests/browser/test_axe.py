"""Every page, in light and in dark, is one that axe has nothing to say against."""

from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.pages import PAGES, Place
from tests.e2e.fleet import CHECKOUT

_AXE = CHECKOUT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
_RUN = "more => axe.run(document, {resultTypes: ['violations'], preload: false, ...more}).then(all => all.violations)"
# What a theme can change; everything else is the same in both.
_OF_COLOUR = {"runOnly": ["color-contrast", "link-in-text-block"]}


def axe_source(path: Path = _AXE) -> str:
    """The script that looks; `npm ci` in frontend/ brings it."""
    return path.read_text(encoding="utf-8")


def violations(page: Page, theme: str) -> list[str]:
    """One line each: the rule, and the elements that break it."""
    found: list[dict[str, Any]] = page.evaluate(_RUN, _OF_COLOUR if theme == "dark" else {})
    return [
        f"{each['id']} ({each['help']}): {node['html'][:160]} | {node['failureSummary'].splitlines()[-1].strip()}"
        for each in found
        for node in each["nodes"][:4]
    ]


@pytest.mark.parametrize("place", PAGES, ids=[place.name for place in PAGES])
def test_axe_finds_nothing_in_either_theme(
    place: Place, visitors: dict[str, BrowserContext], furnished: dict[str, str]
) -> None:
    page = visitors[place.who].new_page()
    try:
        found: list[str] = []
        themes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        for theme in themes:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            if theme == "light" or place.who == "staff":
                # The operators' pages choose their colours by a script, at the start.
                answer = page.goto(place.address(furnished))
                assert answer is not None
                assert answer.status == place.status
                page.locator(place.shows).first.wait_for(state="visible")
                page.evaluate(axe_source())
            found += [f"{theme}: {violation}" for violation in violations(page, theme)]
        assert not found, "\n".join(found)
    finally:
        page.close()
