"""Owns the counters that no single app owns."""

from prometheus_client import Counter

REFUSALS = Counter("spillway_refusals_total", "Requests refused, by error code.", ["code"])
ENQUEUE_FAILURES = Counter(
    "spillway_enqueue_failures_total", "Tasks the broker did not take; a sweep finds them."
)
