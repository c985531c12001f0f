"""`spillway manage`: a Django management command with the fleet's environment.

When no fleet runs, its PostgreSQL and Redis are started for as long as the command takes.
"""

import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from types import FrameType
from typing import NoReturn

from deploy.fleet.checkout import ROOT, default_data_folder
from deploy.fleet.configuration import data_folder
from deploy.fleet.errors import UsageError
from deploy.fleet.platforms import platform_for


def run(options: Namespace, rest: list[str]) -> int:
    data, arguments = split_data(rest)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    platform = platform_for(data)
    if platform.observe().running:
        return _django(arguments, platform.environment())
    print("No fleet is running: its database is started for this command.", file=sys.stderr)
    with platform.lent() as environment:
        return _django(arguments, environment)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """As an exception, so that whatever was started for the command is stopped."""
    raise SystemExit(128 + number)


def split_data(arguments: list[str]) -> tuple[Path, list[str]]:
    """A leading `--data DIR` is ours, everything else is Django's."""
    if not arguments:
        raise UsageError("Which command? `spillway manage help` lists them.")
    if arguments[0] == "--data":
        if len(arguments) < 3:
            raise UsageError("It is `spillway manage --data DIR <command>`.")
        return data_folder(arguments[1]), arguments[2:]
    if arguments[0].startswith("--data="):
        return data_folder(arguments[0].removeprefix("--data=")), arguments[1:]
    return default_data_folder(), arguments


def _django(arguments: list[str], environment: dict[str, str]) -> int:
    """Runs in the terminal's own session: commands may ask questions and be interrupted."""
    try:
        return subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            env=environment,
            check=False,
        ).returncode
    except KeyboardInterrupt:
        return 130
