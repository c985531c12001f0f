"""`spillway supervise`: what `up --detach` leaves running. Not for people: its output goes to a log."""

from argparse import Namespace

from deploy.fleet.configuration import UpOptions
from deploy.fleet.platforms import platform_for


def run(options: Namespace, rest: list[str]) -> int:
    wanted = UpOptions(options.data, options.web, options.workers, options.port, options.host, detach=True)
    platform_for(wanted.data).run(wanted, lambda seen: None)
    return 0
