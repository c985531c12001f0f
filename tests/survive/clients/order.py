"""Owns what the runner tells a client and what the client tells back: JSON, so that any language can. Sends nothing."""

import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_WHY_CHARACTERS = 200


@dataclass(frozen=True)
class Order:
    """One upload: the client's only argument, as JSON. `chunk_bytes` None: all that is left in one request."""

    endpoint: str
    path: str
    name: str
    transfer_secret: str
    chunk_bytes: int | None = None
    line_bytes_per_second: int | None = None

    def as_argument(self) -> str:
        return json.dumps(asdict(self))


def order_given() -> Order:
    """What this process was told."""
    return Order(**json.loads(sys.argv[1]))


@dataclass
class Told:
    """What became of it: the last line a client prints, as JSON.

    `urls` are the upload's addresses in the order in which they were first used; `sent_bytes` are those of bodies
    that the client gave to its socket; `answers` counts by method and status ("PATCH 204"; "PATCH 0" had no answer).
    """

    urls: list[str] = field(default_factory=list)
    sent_bytes: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    error: str = ""

    def answered(self, method: str, status: int, why: str = "") -> None:
        self.answers[f"{method} {status}"] += 1
        note(f"{method} {status} {why[:_WHY_CHARACTERS]}")

    def used(self, url: str) -> None:
        if url not in self.urls:
            self.urls.append(url)

    def say(self) -> None:
        print(json.dumps(vars(self)), flush=True)


def told_in(text: str) -> Told:
    """What a client said, or that it said nothing."""
    try:
        value: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return Told(error="it ended without a word")
    return Told(**value | {"answers": Counter(value["answers"])})


def note(text: str) -> None:
    """A line of the client's log."""
    print(f"{time.strftime('%H:%M:%S')} {text.strip()}", file=sys.stderr, flush=True)


def size_of(path: str) -> int:
    """In bytes."""
    return Path(path).stat().st_size
