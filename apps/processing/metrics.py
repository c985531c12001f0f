"""Owns what is counted of the workers' work: stages of a file and how they end, archives and previews."""

from prometheus_client import Counter, Histogram

ARCHIVES = Counter("spillway_archives_total", "Archives by how they ended: ready or failed.", ["outcome"])
PREVIEWS = Counter(
    "spillway_previews_total",
    "Files looked at for a preview, by what for and how it ended.",
    ["kind", "outcome"],
)
FILES = Counter(
    "spillway_files_processed", "Tries to process a file, by how they ended.", ["outcome"]
)  # ready, rejected, lost (another worker took it over), put_back (the store failed; a sweep tries again)
STAGE_SECONDS = Histogram(
    "spillway_processing_stage_seconds",
    "How long each stage of processing took: assemble, sniff, publish, tidy, preview, archive.",
    ["stage"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0),
)
