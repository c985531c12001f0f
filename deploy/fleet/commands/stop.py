"""`spillway stop NAME`: stop one unit and keep it stopped, until `start NAME` or the next `up`."""

from argparse import Namespace
from dataclasses import replace

from deploy.fleet.errors import FleetError, NotRunningError
from deploy.fleet.platforms import platform_for
from deploy.fleet.ports import Platform


def run(options: Namespace, rest: list[str]) -> int:
    platform = platform_for(options.data)
    check_name(platform, options.name)
    platform.change(
        lambda desired: replace(desired, paused=tuple(dict.fromkeys((*desired.paused, options.name))))
    )
    print(f"{options.name} stops; `spillway start {options.name}` lets it run again.")
    return 0


def check_name(platform: Platform, name: str) -> None:
    seen = platform.observe()
    if not seen.running:
        raise NotRunningError("Nothing is running: `spillway up` starts everything.")
    known = [unit.name for unit in seen.units]
    if name not in known:
        raise FleetError(f"There is no {name!r}. There are: {', '.join(known)}.")
