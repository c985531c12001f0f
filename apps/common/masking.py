"""Owns how capabilities are kept out of the logs. Plain Python: gunicorn's master logs before Django is there."""

import re

# A link's token, an upload's id or what a letter of ours holds, wherever an address stands: also in another one's
# query. Shorter ones cannot be any, and parts of file names in a trace are left alone.
_CAPABILITY = re.compile(
    r"((?:/|%2F)(?:t|m|d|p|z|r|files|report|invitation|key|confirm-email)(?:/|%2F))[\w%:-]{16,}",
    re.IGNORECASE,
)


def masked(text: str) -> str:
    """The text without tokens and upload ids: `/t/<token>` becomes `/t/***`."""
    return _CAPABILITY.sub(r"\1***", text)
