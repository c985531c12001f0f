"""`spillway status`: what runs, for people or, with --json, for programs."""

import json
from argparse import Namespace
from typing import Any

from deploy.fleet.platforms import platform_for
from deploy.fleet.ports import Observation, Seen
from deploy.fleet.views import rows


def run(options: Namespace, rest: list[str]) -> int:
    seen = platform_for(options.data).observe()
    print(json.dumps(as_json(seen), indent=2) if options.json else as_text(seen))
    return 0


def as_json(seen: Observation) -> dict[str, Any]:
    """`{"instances": [...], "services": [...]}`; a contract with programs."""
    return {
        "instances": [_common(unit) | {"release": unit.release} for unit in seen.instances],
        "services": [_common(unit) for unit in seen.services],
    }


def _common(unit: Seen) -> dict[str, Any]:
    return {"name": unit.name, "pid": unit.pid, "address": unit.address, "state": unit.state.value}


def as_text(seen: Observation) -> str:
    if seen.phase in {"stopped", "failed"}:
        return "Nothing is running." + (f" The last start failed: {seen.error}" if seen.error else "")
    head = f"Spillway {seen.phase} at {seen.address}, release {seen.release}"
    if seen.phase == "unsupervised":
        head += "\nIts supervisor is gone, nothing is restarted: `spillway up` starts anew, `spillway down` ends it."
    return "\n".join([head, "", *rows(seen.units)])
