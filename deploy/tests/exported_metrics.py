"""Owns the list of what the code says at /metrics: every sample by its name. Asks the code, and no instance."""

import time

# Importing them is what makes them say anything.
import apps.common.metrics
import apps.lifecycle.metrics
import apps.processing.metrics
import apps.throttling.metrics
import apps.uploads.metrics
import apps.uploads.stores.s3_client  # noqa: F401
from apps.lifecycle import scoreboard
from apps.lifecycle.figures import InstanceCollector
from apps.lifecycle.vocabulary import CheckName

_ENDINGS = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "info": ["_info"]}


def exported() -> dict[str, set[str]]:
    """Every sample that a process can say, with the names of its labels."""
    from prometheus_client.registry import REGISTRY

    found: dict[str, set[str]] = {}
    for collector in {*REGISTRY._names_to_collectors.values()}:
        labels = set(getattr(collector, "_labelnames", ()))
        for family in collector.describe() if hasattr(collector, "describe") else ():
            for ending in _ENDINGS.get(family.type, [""]):
                found[family.name + ending] = labels | ({"le"} if ending == "_bucket" else set())
    return found | _of_this_moment()


def _of_this_moment() -> dict[str, set[str]]:
    """What an instance says whose workers have seen everything."""
    now = time.monotonic()
    board = scoreboard.Scoreboard(workers=1)
    slot = board.attach(board.reserve())
    slot.queue_depth = slot.files_waiting = slot.free_bytes = 1
    for name in CheckName:
        slot.check_ended(name, ok=True, reason="ok", began=now, now=now)
    board.note_ready(board.began_at + 1)
    scoreboard.install(board, slot)
    try:
        samples = [sample for family in InstanceCollector().collect() for sample in family.samples]
        return {sample.name: set(sample.labels) for sample in samples}
    finally:
        scoreboard.install(None)
