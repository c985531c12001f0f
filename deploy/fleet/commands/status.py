"""`spillway status`: what runs, for people or, with --json, for programs."""

import json
import time
from argparse import Namespace
from typing import Any

from deploy.fleet.errors import NotRunningError
from deploy.fleet.fleet_views import as_plain, footer, status_rows, view_that_changes
from deploy.fleet.platforms import fleet_for, platform_for
from deploy.fleet.ports import Fleet, Observation, Seen

# Between the two looks that requests per second are counted from.
_BETWEEN_SECONDS = 1.0


def run(options: Namespace, rest: list[str]) -> int:
    fleet = fleet_for(options)
    if options.watch:
        _watch(fleet)
        return 0
    seen = _look(fleet, options)
    print(json.dumps(as_json(seen), indent=2) if options.json else as_text(fleet, seen))
    return 0


def _look(fleet: Fleet, options: Namespace) -> Observation:
    try:
        return fleet.look()
    except NotRunningError:
        return platform_for(options.data).observe() if fleet.name == "embedded" else Observation("stopped")


def as_json(seen: Observation) -> dict[str, Any]:
    """`{"instances": [...], "services": [...]}`; a contract with programs."""
    return {
        "instances": [_common(unit) | {"release": unit.release} for unit in seen.instances],
        "services": [_common(unit) for unit in seen.services],
    }


def _common(unit: Seen) -> dict[str, Any]:
    return {"name": unit.name, "pid": unit.pid, "address": unit.address, "state": unit.state.value}


def as_text(fleet: Fleet, seen: Observation) -> str:
    if seen.phase in {"stopped", "failed"}:
        return nothing_runs(seen)
    head = f"Spillway {seen.phase} at {seen.address}, release {seen.release}"
    if seen.phase == "unsupervised":
        head += "\nIts supervisor is gone, nothing is restarted: `spillway up` starts anew, `spillway down` ends it."
    time.sleep(_BETWEEN_SECONDS)
    now = fleet.look()
    return "\n".join([head, "", as_plain(status_rows(now, seen, _BETWEEN_SECONDS)), "", footer(now)])


def nothing_runs(seen: Observation) -> str:
    return "Nothing is running." + (f" The last start failed: {seen.error}" if seen.error else "")


def _watch(fleet: Fleet) -> None:
    """A table that changes in place, or one table after the other where there is no terminal."""
    before, at = fleet.look(), time.monotonic()
    with view_that_changes() as show:
        while True:
            time.sleep(_BETWEEN_SECONDS)
            now, seconds = fleet.look(), time.monotonic() - at
            at += seconds
            show(status_rows(now, before, seconds), f"{footer(now)}    Ctrl-C ends this.")
            before = now
