"""Owns what a Prometheus on this machine is told about the fleet: a configuration to start it with, and whom to ask.

`prometheus --config.file <data>/monitoring/prometheus.yml` is all; it looks at the targets again when they change.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.fleet.checkout import ROOT
from deploy.fleet.platforms.embedded.data_folder import DataFolder
from deploy.fleet.ports import Seen
from deploy.fleet.storage import write_atomically
from deploy.fleet.templates import render, template

_WATCHED = ("web", "worker")


def targets(units: Sequence[Seen]) -> list[dict[str, Any]]:
    """Prometheus' file-based discovery: one group for each unit that has metrics, ready or not."""
    watched = [unit for unit in units if unit.kind in _WATCHED and unit.address and unit.pid]
    return [
        {"targets": [unit.address], "labels": {"job": unit.kind, "instance": unit.name}}
        for unit in sorted(watched, key=lambda unit: unit.name)
    ]


def write(folder: DataFolder, units: Sequence[Seen]) -> None:
    """Both files, each in one step and only when it says something else than before. Raises OSError."""
    place = folder.root / "monitoring"
    place.mkdir(mode=0o700, exist_ok=True)
    configuration = render(template("monitoring/embedded.yml.template"), {
        "RULES_FOLDER": str(ROOT / "deploy" / "monitoring" / "rules"), "TARGETS_FILE": str(place / "targets.json"),
    })  # fmt: skip
    _put(place / "prometheus.yml", configuration)
    _put(place / "targets.json", json.dumps(targets(units), indent=1))


def _put(file: Path, text: str) -> None:
    if not file.is_file() or file.read_text() != text:
        write_atomically(file, text)
