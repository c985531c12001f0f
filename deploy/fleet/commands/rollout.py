"""`spillway rollout [RELEASE]`: exchange every instance by one of another release, with no failed request."""

from argparse import Namespace

from deploy.fleet.interrupting import as_interrupts
from deploy.fleet.plan import Canary
from deploy.fleet.platforms import fleet_for
from deploy.fleet.rollout import Wish, plan_lines, rollout


def run(options: Namespace, rest: list[str]) -> int:
    as_interrupts()
    canary = Canary(options.canary, options.watch_seconds) if options.canary else None
    wish = Wish(
        options.release, batch=options.batch, canary=canary, ready_seconds=options.timeout,
        allow_downtime=options.allow_downtime,
    )  # fmt: skip
    fleet = fleet_for(options)
    if options.dry_run:
        print("\n".join(plan_lines(fleet, wish)))
        return 0
    rollout(fleet, wish, _say)
    return 0


def _say(line: str) -> None:
    print(line, flush=True)
