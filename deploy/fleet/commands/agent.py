"""`spillway agent`: stay with a running fleet, replace what dies, fit its size to the load."""

import signal
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

from deploy.fleet.agent import Agent
from deploy.fleet.autoscale import Policy
from deploy.fleet.errors import UsageError
from deploy.fleet.platforms import fleet_for

_ENDINGS = (signal.SIGTERM, signal.SIGINT)


def run(options: Namespace, rest: list[str]) -> int:
    policy = policy_from(options)
    with told_to_end() as end:
        fleet = fleet_for(options)
        _say(f"Looking after the {fleet.name} fleet{_bounds(policy)}. Ctrl-C ends this, not the fleet.")
        Agent(fleet, policy, _say, time.monotonic, end.wait).run()
    return 0


def policy_from(options: Namespace) -> Policy | None:
    """None: the size is somebody else's."""
    if options.no_autoscale:
        return None
    if options.min > options.max:
        raise UsageError(f"--min ({options.min}) must not be above --max ({options.max}).")
    return Policy(options.min, options.max, target=options.target / 100)


@contextmanager
def told_to_end() -> Iterator[Event]:
    """Set by SIGTERM or Ctrl-C. The round that runs is finished first."""
    end = Event()

    def note(number: int, frame: FrameType | None) -> None:
        end.set()

    before = {number: signal.signal(number, note) for number in _ENDINGS}
    try:
        yield end
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _bounds(policy: Policy | None) -> str:
    if policy is None:
        return ", whose size is left alone"
    return f": {policy.least} to {policy.most} instances at {policy.target:.0%} of their threads"


def _say(line: str) -> None:
    print(line, flush=True)
