"""`spillway screenshots [NAME ...]`: a site of its own, filled through its API, photographed into docs/images/."""

import io
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import requests
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from deploy.fleet.commands.test import CHROMIUM_VARIABLE, browser_environment
from tests.browser.pages import furnish
from tests.e2e.clients import download, upload, wait_ready
from tests.e2e.fleet import CHECKOUT, Fleet
from tests.screenshots.scenes import LIGHTS, SCENES, Light, Scene, file_of

FOLDER = CHECKOUT / "docs" / "images"
MOST_BYTES = 150_000
_PHONE = (390, 844)


def picture(seed: int, size: tuple[int, int] = (1200, 800)) -> bytes:
    """A JPEG that looks like water in some light: nobody's photograph."""
    chance = random.Random(seed)
    sky, sea = [
        (chance.randrange(150, 240), chance.randrange(170, 220), chance.randrange(160, 235)) for _ in "ab"
    ]
    small = Image.new("RGB", (48, 32))
    for y in range(32):
        for x in range(48):
            share, shine = y / 31, chance.randrange(-14, 15) if y > 12 else 0
            small.putpixel(
                (x, y), tuple(int(a + (b * 0.55 - a) * share) + shine for a, b in zip(sky, sea, strict=True))
            )
    made = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).save(made, "JPEG", quality=85)
    return made.getvalue()


def fill(fleet: Fleet, folder: Path) -> dict[str, str]:
    """Transfers as people make them, and the files that are sent while the shutter is open."""
    made = furnish(fleet)
    for name, size in (("film", 40 * 2**20), ("scan", 6 * 2**20)):
        path = folder / {"film": "summer by the river.mp4", "scan": "drawings.pdf"}[name]
        path.write_bytes(random.Random(size).randbytes(size))
        made[name] = str(path)
    headers = {"Authorization": f"Bearer {made['api_token']}"}
    sent = {
        "Trip to the dam": [(f"IMG_20{n}.jpg", picture(n)) for n in range(41, 47)],
        "Minutes of the spring meeting": [("minutes.txt", b"1. Water levels\n" * 80)],
        "Measurements, week 12": [("levels.csv", b"hour,level\n" * 4000), ("notes.txt", b"Calm.\n" * 40)],
    }
    for title, files in sent.items():
        body = {"title": title, "message": "Have a look when you find the time.", "expires_days": 14}
        answer = requests.post(f"{fleet.url}/api/v1/transfers", json=body, headers=headers, timeout=20)
        answer.raise_for_status()
        for name, data in files:
            upload(fleet.url, data, name=name, transfer=answer.json()["secret"])
        for file in wait_ready(answer.json()["url"], count=len(files), seconds=120)[:4]:
            download(file).close()
        made.setdefault("trip", answer.json()["url"].rsplit("/", 1)[1])
    return made


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium, as for the tests."""
    os.environ.update(browser_environment(os.environ))
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get(CHROMIUM_VARIABLE) or None, args=arguments
        )
        yield browser
        browser.close()


def photograph(browser: Browser, fleet: Fleet, made: dict[str, str], scene: Scene, light: Light) -> bytes:
    """A PNG of one page."""
    width, height = _PHONE if light.phone else (scene.wide, scene.tall)
    scheme: Literal["light", "dark"] = "dark" if light.scheme == "dark" else "light"
    context = browser.new_context(
        base_url=fleet.url,
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        device_scale_factor=2 if light.phone else 1,
        locale="en-GB",
    )
    if scene.who != "stranger":
        context.add_cookies([{"name": "spillway_session", "value": made[scene.who], "url": fleet.url}])
    page = context.new_page()
    page.goto(scene.path.format(**made))
    page.locator("h1").first.wait_for()
    scene.prepare(page, made)
    shot = page.screenshot(animations="disabled")
    context.close()
    return shot


def keep(shot: bytes, path: Path) -> None:
    """As WebP, as good as it can be below MOST_BYTES."""
    picture = Image.open(io.BytesIO(shot))
    for quality in range(90, 20, -10):
        made = io.BytesIO()
        picture.save(made, "WEBP", quality=quality, method=6)
        if made.tell() <= MOST_BYTES:
            break
    path.write_bytes(made.getvalue())
    print(f"{path.relative_to(CHECKOUT)}: {made.tell() // 1000} KB", flush=True)


def main(names: Sequence[str]) -> int:
    """All scenes, or the named ones."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = [scene for scene in SCENES if not names or scene.name in names]
    with tempfile.TemporaryDirectory(prefix="spillway-screenshots-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        fleet = Fleet(folder / "data", settings={"RELEASE": "0.1.0"})
        try:
            fleet.up()
            made = fill(fleet, folder)
            with chromium() as browser:
                for scene in wanted:
                    for light in LIGHTS:
                        keep(photograph(browser, fleet, made, scene, light), file_of(FOLDER, scene, light))
        finally:
            fleet.run("down", check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
