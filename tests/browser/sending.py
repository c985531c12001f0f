"""Owns what tests of the sender's page do over and over: choose, slow the line down, ask the server what it keeps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import CDPSession, Page, Request, expect

from tests.e2e.fleet import wait_until

MIB = 2**20


def choose(page: Page, *paths: Path) -> None:
    """By the button for files."""
    page.locator("[data-input=files]").set_input_files([str(path) for path in paths])


def slow_down(page: Page, bytes_per_second: int) -> CDPSession:
    """So that there is a middle of an upload; 0 stands for a line that is cut."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    set_line(session, bytes_per_second)
    return session


def set_line(session: CDPSession, bytes_per_second: int) -> None:
    """Change what `slow_down` began; -1 takes the brake off."""
    line = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second}
    session.send("Network.emulateNetworkConditions", {"offline": bytes_per_second == 0, **line})


def send(page: Page) -> None:
    """Press the button, and be where the transfer is managed."""
    page.locator("#send").click()
    page.wait_for_url("**/m/*")


def kept_files(page: Page) -> list[dict[str, Any]]:
    """What the server says it has of the transfer this page shows."""
    address, _, secret = page.url.partition("#")
    headers = {"Transfer-Secret": secret, "Accept": "application/json"}
    files: list[dict[str, Any]] = requests.get(f"{address}/files", headers=headers, timeout=10).json()[
        "files"
    ]
    return files


def durable_bytes(page: Page) -> int:
    """All of it together."""
    return sum(file["offset"] for file in kept_files(page))


def wait_for_bytes(page: Page, more_than: int) -> None:
    """Until so many are durable."""
    wait_until(lambda: durable_bytes(page) > more_than, 60, "some bytes durable", every_seconds=0.3)


def expect_ready(page: Page) -> None:
    """Until every file is, and the page says so."""
    expect(page.locator("#workbench")).to_have_attribute("data-phase", "ready", timeout=60_000)


def offsets_sent(page: Page) -> Callable[[], list[int]]:
    """The offsets that this page's requests begin at, from now on."""
    offsets: list[int] = []

    def note(request: Request) -> None:
        if request.method == "PATCH":
            offsets.append(int(request.headers["upload-offset"]))

    page.on("request", note)
    return lambda: offsets
