"""Owns what a worker is told that does not own its work any more. Claims themselves are conditional updates of rows."""


class ClaimLostError(Exception):
    """Another worker owns the work now, or nobody wants it; whatever this one made must go."""
