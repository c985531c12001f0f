"""Owns what is made of a file to look at. Run as a program of its own, with limits, on bytes that nobody trusts.

    python -m apps.processing.previewer TASK SOURCE FOLDER [SIZE OFFSET]

writes the previews into FOLDER, and on its output a JSON list of [kind, position, file, width, height]. It has no
settings, no database, no secrets in its environment, and imports nothing of the site. SOURCE holds all of the file, or
(for a listing) its end: SIZE is the file's size then, OFFSET where SOURCE begins in it.
"""

import io
import json
import resource
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MIB = 2**20
# (soft and hard) memory, processor seconds, bytes of any file written, files open at a time.
LIMITS = (
    (resource.RLIMIT_AS, 768 * MIB),
    (resource.RLIMIT_CPU, 20),
    (resource.RLIMIT_FSIZE, 64 * MIB),
    (resource.RLIMIT_NOFILE, 64),
    (resource.RLIMIT_CORE, 0),
)
MOST_PIXELS = 50_000_000  # of a picture, unpacked: up to 200 MB
THUMBNAIL_PIXELS = 160
PICTURE_PIXELS = 2048
PAGE_PIXELS = 1400
MOST_PAGES = 10
TEXT_BYTES = 256 * 2**10
MOST_ENTRIES = 1000
# What a zip says of itself: more than that is not an archive that anybody reads a list of.
MOST_DIRECTORY_BYTES = 8 * MIB

Made = tuple[str, int, str, int, int]


def picture(source: Path, folder: Path) -> Iterator[Made]:
    """A thumbnail and a full view, turned the right way, without anything the camera wrote down."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2  # Pillow warns at this and refuses at twice as much
    with Image.open(source) as image:
        if image.width * image.height > MOST_PIXELS:
            raise ValueError("too many pixels")
        # Of a JPEG, only as much is unpacked as the full view needs.
        image.draft("RGB", (PICTURE_PIXELS, PICTURE_PIXELS))
        turned = ImageOps.exif_transpose(image)
        yield from _pictures(turned, folder)


def _pictures(image: Any, folder: Path) -> Iterator[Made]:
    plain = image.convert("RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB")
    for kind, most in (("picture", PICTURE_PIXELS), ("thumbnail", THUMBNAIL_PIXELS)):
        plain.thumbnail((most, most))
        yield _saved(plain, folder, kind, 0)


def _saved(image: Any, folder: Path, kind: str, position: int) -> Made:
    name = f"{kind}-{position}"
    # Nothing but the pixels: no EXIF, no profile, no comment.
    image.info = {}
    image.save(folder / name, "WEBP", quality=80, method=2)
    return kind, position, name, image.width, image.height


def pages(source: Path, folder: Path) -> Iterator[Made]:
    """The first pages as pictures, and the first of them as a thumbnail."""
    import pypdfium2

    document = pypdfium2.PdfDocument(source)
    for number in range(min(len(document), MOST_PAGES)):
        page = document[number]
        longest = max(*page.get_size(), 1)
        image = page.render(scale=min(PAGE_PIXELS / longest, 4)).to_pil().convert("RGB")
        yield _saved(image, folder, "page", number)
        if number == 0:
            image.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
            yield _saved(image, folder, "thumbnail", 0)
        page.close()


def text(source: Path, folder: Path) -> Iterator[Made]:
    """The beginning, as UTF-8."""
    with open(source, "rb") as file:
        data = file.read(TEXT_BYTES)
    shown = data.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    (folder / "text-0").write_bytes(shown.encode())
    yield "text", 0, "text-0", 0, 0


class Tail(io.RawIOBase):
    """A file of which only the end is here; whoever reads before that is told that it is damaged."""

    def __init__(self, file: io.BufferedReader, size: int, offset: int) -> None:
        self._file, self._size, self._offset = file, size, offset
        self._at = 0

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of the whole file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("before the beginning")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """As of the whole file."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Bytes at the place, none behind the end."""
        if self._at < self._offset:
            raise zipfile.BadZipFile("what this needs is not here")
        self._file.seek(self._at - self._offset)
        data = self._file.read(min(size, MOST_DIRECTORY_BYTES) if size >= 0 else MOST_DIRECTORY_BYTES)
        self._at += len(data)
        return data


def listing(source: Path, folder: Path, size: int, offset: int) -> Iterator[Made]:
    """What is in a zip: names and sizes, and how many entries there are in all. Nothing is unpacked."""
    with open(source, "rb") as file, zipfile.ZipFile(Tail(file, size, offset)) as archive:
        entries = archive.infolist()
        shown = [[entry.filename[:500], entry.file_size] for entry in entries[:MOST_ENTRIES]]
    # No bytes of a name that was no UTF-8.
    body = json.dumps({"entries": shown, "count": len(entries)})
    (folder / "listing-0").write_text(body, encoding="utf-8")
    yield "listing", 0, "listing-0", 0, 0


def main(task: str, source: str, folder: str, size: str = "0", offset: str = "0") -> None:
    """Make the previews that `task` asks for."""
    for what, most in LIMITS:
        hard = resource.getrlimit(what)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (least, least))
    if task == "listing":
        made = list(listing(Path(source), Path(folder), int(size), int(offset)))
    else:
        made = list({"picture": picture, "pages": pages, "text": text}[task](Path(source), Path(folder)))
    print(json.dumps(made))


if __name__ == "__main__":
    main(*sys.argv[1:])
