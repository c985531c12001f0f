"""`spillway supervise`: what `up --detach` leaves running. Not for people: its output goes to a log."""

from argparse import Namespace

from deploy.fleet.configuration import DEFAULT_WEB, DEFAULT_WORKERS, STORE_FILESYSTEM, UpOptions
from deploy.fleet.platforms import platform_for


def run(options: Namespace, rest: list[str]) -> int:
    wanted = UpOptions(
        options.data,
        options.web or DEFAULT_WEB,
        options.workers or DEFAULT_WORKERS,
        options.port,
        options.host,
        detach=True,
        store=options.store or STORE_FILESYSTEM,
    )
    platform_for(wanted.data).run(wanted, lambda seen: None)
    return 0
