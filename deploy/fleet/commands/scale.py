"""`spillway scale web=5 worker=2`: make the fleet larger or smaller; returns when it is."""

from argparse import Namespace

from deploy.fleet.interrupting import as_interrupts
from deploy.fleet.platforms import fleet_for
from deploy.fleet.rollout import scale


def run(options: Namespace, rest: list[str]) -> int:
    as_interrupts()
    scale(fleet_for(options), dict(options.counts), lambda line: print(line, flush=True))
    return 0
