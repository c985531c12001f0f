"""Owns the counters that no single app owns."""

from prometheus_client import Counter, Histogram

REFUSALS = Counter("spillway_refusals_total", "Requests refused, by error code.", ["code"])
ENQUEUE_FAILURES = Counter(
    "spillway_enqueue_failures_total", "Tasks the broker did not take; a sweep finds them."
)
TASK_SECONDS = Histogram(
    "spillway_task_seconds",
    "How long tasks took, by name and by how they ended.",
    ["task", "outcome"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0),
)
