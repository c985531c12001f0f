"""Owns the pure decisions about processing: when to try again, when to give up, what a type may be served as."""

MOST_ATTEMPTS = 20
SNIFF_BYTES = 64 * 2**10
_LONGEST_PAUSE_SECONDS = 60.0


def blob_key(token_hex: str) -> str:
    """Where a blob lies: two levels of folders from its random name. Never from anything a user said."""
    return f"{token_hex[:2]}/{token_hex[2:4]}/{token_hex}"


def gives_up(attempts: int) -> bool:
    """Whether a file that kept killing its workers is refused rather than tried again."""
    return attempts > MOST_ATTEMPTS


def pause_seconds(attempts: int) -> float:
    """How long a file whose store failed waits for the next try: doubling, at most a minute."""
    return float(min(_LONGEST_PAUSE_SECONDS, 2.0 ** min(attempts, 10)))


def renewal_due(age_seconds: float, claim_seconds: float) -> bool:
    """Whether a claim must be renewed now: after a quarter of its life, so three renewals may fail."""
    return age_seconds >= claim_seconds / 4
