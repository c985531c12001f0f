"""Owns one small file of each kind that can be looked at, and how a test sends several at once. Checks nothing."""

import base64
import io
import math
import struct
import wave
import zipfile
from collections.abc import Mapping
from typing import Any

import requests
from PIL import Image
from playwright.sync_api import Page

from tests.e2e.clients import upload

# One second of a moving square, as MediaRecorder makes it. Nothing else here can encode video.
_RECORD = """async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 160, height: 90 });
  const pen = canvas.getContext("2d");
  const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: "video/webm" });
  const chunks = [];
  recorder.ondataavailable = (event) => chunks.push(event.data);
  const stopped = new Promise((resolve) => { recorder.onstop = resolve; });
  recorder.start();
  for (let frame = 0; frame < 25; frame += 1) {
    pen.fillStyle = `hsl(${frame * 14} 80% 50%)`;
    pen.fillRect(0, 0, 160, 90);
    await new Promise((resolve) => { setTimeout(resolve, 40); });
  }
  recorder.stop();
  await stopped;
  const bytes = new Uint8Array(await new Blob(chunks).arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}"""


def picture(width: int = 640, height: int = 400, *, turned: bool = False) -> bytes:
    """A JPEG; `turned`: as a camera held upright writes it, lying, with a note to turn it and where it was taken."""
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    exif = Image.Exif()
    if turned:
        exif[0x0112] = 6
        exif[0x010F] = "Camera of Alice"
    target = io.BytesIO()
    image.save(target, "JPEG", exif=exif)
    return target.getvalue()


def document(pages: int = 3) -> bytes:
    """A PDF of several pages."""
    sheets = [Image.new("RGB", (420, 594), (255, 255 - 20 * number, 255)) for number in range(pages)]
    target = io.BytesIO()
    sheets[0].save(target, "PDF", save_all=True, append_images=sheets[1:])
    return target.getvalue()


def archive(**members: bytes) -> bytes:
    """A zip."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for name, data in members.items():
            made.writestr(name, data)
    return target.getvalue()


def sound(seconds: float = 2.0) -> bytes:
    """A WAV of a quiet tone."""
    target = io.BytesIO()
    with wave.open(target, "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(2)
        made.setframerate(8000)
        tone = (int(3000 * math.sin(moment / 8000 * 440 * math.tau)) for moment in range(int(8000 * seconds)))
        made.writeframes(b"".join(struct.pack("<h", level) for level in tone))
    return target.getvalue()


def film(page: Page) -> bytes:
    """A WebM of a second, recorded by the browser itself."""
    return base64.b64decode(page.evaluate(_RECORD))


def send(url: str, files: Mapping[str, bytes], **choices: Any) -> str:
    """All of these as one transfer, `folder/name` by `folder/name`; its link."""
    made = requests.post(f"{url}/transfers/", json=choices, timeout=20).json()
    for path, data in files.items():
        folder, _, name = path.rpartition("/")
        more: dict[str, Any] = {"relativePath": path} if folder else {}
        _, response = upload(url, data, name=name, transfer=made["secret"], **more)
        assert response.status_code == 201, response.text
    return f"{url}{made['url']}"
