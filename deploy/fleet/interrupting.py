"""Owns that being told to end is the same as Ctrl-C for commands that must say where they stopped."""

import signal
from types import FrameType
from typing import NoReturn


def as_interrupts() -> None:
    """SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
