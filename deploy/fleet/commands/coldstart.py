"""`spillway coldstart`: how long an instance takes to start, by phase, and how long several at once."""

import signal
import socket
from argparse import Namespace
from types import FrameType

from deploy.fleet.coldstart import fleet_rows, measure, passing_folder, phase_rows
from deploy.fleet.fleet_views import as_plain

_ENDINGS = (signal.SIGINT, signal.SIGTERM)


def run(options: Namespace, rest: list[str]) -> int:
    for number in _ENDINGS:
        signal.signal(number, _interrupt)
    with passing_folder() as data:
        port = _free_port()
        _say("Starting a fleet with one instance ...")
        (alone,) = measure(data, port, 1).values()
        _say("", as_plain(phase_rows(alone)), "")
        _say(f"Starting it again with {options.web} at once ...")
        _say("", as_plain(fleet_rows(measure(data, port, options.web))))
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Once: a folder that is removed while its fleet still stops would leave processes behind."""
    for each in _ENDINGS:
        signal.signal(each, signal.SIG_IGN)
    _say("Stopping everything ...")
    raise KeyboardInterrupt


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _say(*lines: str) -> None:
    print("\n".join(lines), flush=True)
