"""No page is wider than the window, whichever way the reader reads and however narrow it is."""

from typing import Literal

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.pages import PAGES, Place

_WIDTHS = (320, 375, 1280)
_TURN = "direction => { document.documentElement.dir = direction }"
# The page, and whatever stands in it that nobody can see by scrolling.
_TOO_WIDE = """() => {
  const room = document.documentElement.clientWidth, whole = document.documentElement.scrollWidth;
  const outside = [...document.querySelectorAll("body *")].filter(each => {
    const box = each.getBoundingClientRect();
    if (box.width <= 1 || box.height <= 1 || (box.left >= -1 && box.right <= room + 1)) return false;
    if (each.closest("[data-scrolls], .skip, .visually-hidden, .basin__water, svg, pre, table")) return false;
    // What the admin's own scrolling boxes scroll with.
    if (each.closest(".simplebar-track")) return false;
    return each.checkVisibility({opacityProperty: true, visibilityProperty: true});
  });
  const told = outside.slice(0, 3).map(each => each.outerHTML.slice(0, 120));
  return whole > room ? [`the page is ${whole} wide`, ...told] : told;
}"""


@pytest.mark.parametrize("place", PAGES, ids=[place.name for place in PAGES])
def test_a_page_fits_the_window_from_left_to_right_and_from_right_to_left(
    place: Place, visitors: dict[str, BrowserContext], furnished: dict[str, str]
) -> None:
    page = visitors[place.who].new_page()
    try:
        page.goto(place.address(furnished))
        page.locator(place.shows).first.wait_for(state="visible")
        directions: tuple[Literal["ltr", "rtl"], ...] = ("ltr", "rtl")
        for direction in directions:
            page.evaluate(_TURN, direction)
            for width in _WIDTHS:
                page.set_viewport_size({"width": width, "height": 800})
                wide = page.evaluate(_TOO_WIDE)
                assert not wide, "\n".join([f"{direction}, {width} px", *wide])
    finally:
        page.close()
