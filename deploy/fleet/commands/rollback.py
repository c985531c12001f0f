"""`spillway rollback`: to the release before, by the same steps as a rollout; or out of one that did not end."""

from argparse import Namespace
from dataclasses import replace

from deploy.fleet.interrupting import as_interrupts
from deploy.fleet.platforms import fleet_for
from deploy.fleet.rollout import Wish, plan_lines, release_before, rollback


def run(options: Namespace, rest: list[str]) -> int:
    as_interrupts()
    fleet = fleet_for(options)
    wish = Wish(batch=options.batch, ready_seconds=options.timeout, migrate=False)
    if options.dry_run:
        print("\n".join(plan_lines(fleet, replace(wish, release=release_before(fleet)))))
        return 0
    rollback(fleet, wish, lambda line: print(line, flush=True))
    return 0
