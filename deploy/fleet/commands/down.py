"""`spillway down`: stop everything gracefully, and say what was stopped."""

import time
from argparse import Namespace

from deploy.fleet.platforms import platform_for
from deploy.fleet.views import view_for_terminal


def run(options: Namespace, rest: list[str]) -> int:
    platform = platform_for(options.data)
    began = time.monotonic()
    with view_for_terminal() as view:
        stopped = platform.down(view.show)
        if stopped:
            view.say(f"Stopped in {time.monotonic() - began:.1f} s. The data is kept in {options.data}.")
        else:
            view.say(f"Nothing is running (data folder {options.data}).")
    return 0
