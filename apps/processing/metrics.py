"""Owns the counters of what workers make beside the files themselves."""

from prometheus_client import Counter

ARCHIVES = Counter("spillway_archives_total", "Archives by how they ended: ready or failed.", ["outcome"])
PREVIEWS = Counter(
    "spillway_previews_total",
    "Files looked at for a preview, by what for and how it ended.",
    ["kind", "outcome"],
)
