"""`spillway start NAME`: let a unit that was stopped by name run again."""

from argparse import Namespace
from dataclasses import replace

from deploy.fleet.commands.stop import check_name
from deploy.fleet.platforms import platform_for


def run(options: Namespace, rest: list[str]) -> int:
    platform = platform_for(options.data)
    check_name(platform, options.name)
    platform.change(
        lambda desired: replace(
            desired, paused=tuple(name for name in desired.paused if name != options.name)
        )
    )
    print(f"{options.name} starts.")
    return 0
