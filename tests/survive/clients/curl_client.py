"""Owns an upload as somebody with curl and a loop does it: create, ask for the offset, send from there, again."""

import base64
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.survive.clients.order import Order, Told, order_given, size_of

_PAUSE_SECONDS = 0.5
_TRIES_IN_VAIN = 240
_TUS = ("-H", "Tus-Resumable: 1.0.0")
# Whatever the site does, a connection that carries nothing for so long is given up.
_PATIENCE = ("--connect-timeout", "10", "--speed-limit", "1", "--speed-time", "60")


@dataclass(frozen=True)
class Answer:
    """Status 0: none. Header names in small letters."""

    status: int
    headers: dict[str, str]
    sent_bytes: int


def main() -> None:
    order, told = order_given(), Told()
    with tempfile.TemporaryDirectory() as folder:
        told.error = Sender(order, told, Path(folder)).run()
    told.say()


class Sender:
    """`folder` is for curl's own files."""

    def __init__(self, order: Order, told: Told, folder: Path) -> None:
        self._order = order
        self._told = told
        self._folder = folder
        self._size = size_of(order.path)
        self._vain = 0

    def run(self) -> str:
        """Send to the end; what ended it before that, "" if nothing did."""
        url, offset = "", 0
        while not url or offset < self._size:
            if self._vain > _TRIES_IN_VAIN:
                return f"no progress in {self._vain} tries, at {offset} of {self._size}"
            if not url:
                url, offset = self._create()
                continue
            reached = self._append(url, offset)
            reached = self._ask(url) if reached is None else reached
            self._vain = 0 if (reached or 0) > offset else self._vain + 1
            offset = offset if reached is None else reached
        return ""

    def _create(self) -> tuple[str, int]:
        pairs = {"filename": self._order.name, "transfer": self._order.transfer_secret}
        metadata = ",".join(
            f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in pairs.items()
        )
        answer = self._curl(
            "POST", self._order.endpoint, "-H", f"Upload-Length: {self._size}", "-H", f"Upload-Metadata: {metadata}",
            "--data-binary", "",
        )  # fmt: skip
        url = answer.headers.get("location", "") if answer.status == 201 else ""
        if url:
            self._told.used(url)
        else:
            self._wait()
        return url, 0

    def _append(self, url: str, offset: int) -> int | None:
        """The offset that was reached, None if that is not known."""
        line = self._order.line_bytes_per_second
        answer = self._curl(
            "PATCH", url, "-H", f"Upload-Offset: {offset}", "-H", "Content-Type: application/offset+octet-stream",
            "--data-binary", f"@{self._piece(offset)}", *(("--limit-rate", str(line)) if line else ()),
        )  # fmt: skip
        return int(answer.headers["upload-offset"]) if answer.status == 204 else None

    def _ask(self, url: str) -> int | None:
        answer = self._curl("HEAD", url, "--head")
        if answer.status == 200:
            return int(answer.headers["upload-offset"])
        self._wait()
        return None

    def _wait(self) -> None:
        self._vain += 1
        time.sleep(_PAUSE_SECONDS)

    def _piece(self, offset: int) -> Path:
        """What `dd` would cut out."""
        piece = self._folder / "piece"
        with open(self._order.path, "rb") as file:
            file.seek(offset)
            piece.write_bytes(file.read(self._order.chunk_bytes or -1))
        return piece

    def _curl(self, method: str, url: str, *arguments: str) -> Answer:
        dump, body = self._folder / "headers", self._folder / "body"
        for file in (dump, body):
            file.unlink(missing_ok=True)
        chosen = () if method == "HEAD" else ("-X", method)
        done = subprocess.run(
            ["curl", "-sS", *chosen, *_TUS, *_PATIENCE, "-D", str(dump), "-o", str(body),
             "-w", "%{http_code} %{size_upload}", *arguments, url],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        status, _, sent = done.stdout.strip().rpartition("\n")[2].partition(" ")
        # curl that was cut off after an interim answer has a status, but not that of an answer.
        answer = Answer(int(status or 0) if done.returncode == 0 else 0, _headers(dump), int(sent or 0))
        self._told.sent_bytes += answer.sent_bytes
        said = body.read_text(errors="replace") if answer.status >= 400 and body.exists() else ""
        self._told.answered(
            method, answer.status, done.stderr or said or answer.headers.get("upload-offset", "")
        )
        return answer


def _headers(dump: Path) -> dict[str, str]:
    """Of the last answer: an interim one (100) comes before it."""
    text = dump.read_text(errors="replace") if dump.exists() else ""
    last = text.replace("\r\n", "\n").strip().rpartition("\n\n")[2]
    pairs = [line.partition(":") for line in last.splitlines()[1:]]
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


if __name__ == "__main__":
    main()
