"""Owns the counters of the throttles. Scopes are few and fixed; addresses never become labels."""

from prometheus_client import Counter

THROTTLED = Counter("spillway_throttled", "Requests refused by a throttle.", ["scope"])
UNCOUNTED = Counter(
    "spillway_throttle_uncounted", "Events that Redis could not count, so a fallback decided.", ["scope"]
)
