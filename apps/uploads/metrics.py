"""Owns what is counted of appends: commits, and waits for a lease. Bytes are the scoreboard's (lifecycle.tally)."""

from prometheus_client import Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
COMMIT_SECONDS = Histogram(
    "spillway_upload_commit_seconds",
    "From the end of a part's bytes to its acknowledgement: the store makes it durable, the database says so.",
    buckets=_SECONDS,
)
LEASE_WAITS = Histogram(
    "spillway_lease_wait_seconds",
    "How long a request waited for a lease that another one held, by how that ended: granted, locked or refused.",
    ["outcome"],
    buckets=_SECONDS,
)
