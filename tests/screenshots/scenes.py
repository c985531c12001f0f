"""Owns what is photographed: which page, seen by whom, and what has happened there before."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, expect

MIB = 2**20
Prepare = Callable[[Page, dict[str, str]], None]


def nothing(page: Page, made: dict[str, str]) -> None:
    """The page as it opens."""


def half_sent(page: Page, made: dict[str, str]) -> None:
    """Files on their way, over a line that is slow enough to be seen; what has arrived is shown as water."""
    page.locator("#drop input[type=file]").first.set_input_files([made["film"], made["scan"]])
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    line = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 3 * MIB}
    session.send("Network.emulateNetworkConditions", line)
    page.locator("#send").click()
    page.wait_for_url("**/m/*")
    expect(page.locator(".basin__figure")).to_have_text(re.compile(r"^\s*(3[5-9]|[4-6]\d)\b"), timeout=60_000)
    # The water rises for a moment longer than the figure.
    page.wait_for_timeout(1500)


def linked(page: Page, made: dict[str, str]) -> None:
    """Everything has arrived, and the link stands on the water."""
    expect(page.locator("#link")).to_be_visible(timeout=30_000)
    page.wait_for_timeout(1500)


def settled(page: Page, made: dict[str, str]) -> None:
    """What is loaded a moment later is there: figures, plots, thumbnails."""
    page.wait_for_load_state("networkidle")


@dataclass(frozen=True)
class Scene:
    """One page. `{names}` in its path are of what was made for it."""

    name: str
    path: str
    who: str = "stranger"
    prepare: Prepare = nothing
    wide: int = 1200
    tall: int = 860


SCENES = [
    Scene("send", "/"),
    Scene("sending", "/", prepare=half_sent),
    Scene("sent", "/m/{open}#{open_secret}", prepare=linked),
    Scene("receive", "/t/{trip}", prepare=settled),
    Scene("gone", "/t/{expired}", tall=640),
    Scene("mine", "/mine", "person", settled),
    Scene("account", "/accounts/", "person"),
    Scene("dashboard", "/admin/", "staff", settled, 1440, 1000),
    Scene("fleet", "/admin/console/fleet/", "staff", settled, 1440, 760),
]


@dataclass(frozen=True)
class Light:
    """How a page is looked at."""

    name: str
    scheme: str
    phone: bool = False


LIGHTS = [Light("light", "light"), Light("dark", "dark"), Light("phone", "light", phone=True)]


def file_of(folder: Path, scene: Scene, light: Light) -> Path:
    """Where a photograph goes."""
    return folder / f"{scene.name}-{light.name}.webp"
