"""Owns how capabilities are kept out of logs, traces and crash reports. Plain Python: gunicorn's master logs before
Django is there.
"""

import re
from collections.abc import Mapping
from typing import Any

# What is shorter holds none of them: the common short values of a log line cost nothing.
_SHORTEST = 16
_MOST_DEEP = 12
_UUID = r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}"
# Each with what stands, in small letters, in whatever it matches: most texts hold none of that, and looking for it is a
# tenth of the work.
_PATTERNS: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    # A link's token, an upload's id or what a letter of ours holds, wherever an address stands: also in another one's
    # query. Shorter ones cannot be any, and parts of file names in a trace are left alone.
    (
        ("/", "%2f"),
        re.compile(
            r"((?:/|%2F)(?:t|m|d|p|z|r|files|report|invitation|key|confirm-email)(?:/|%2F))[\w%:-]{16,}",
            re.IGNORECASE,
        ),
        r"\1***",
    ),
    # An upload's folder in the store: staging/ab/<id>, or staging/<id> in an object store.
    (
        ("staging",),
        re.compile(rf"(\bstaging(?:/|%2F)(?:[0-9a-f]{{2}}(?:/|%2F))?){_UUID}", re.IGNORECASE),
        r"\1***",
    ),
    # The channel on which its lease's release is told.
    (("upload_",), re.compile(r"\bupload_[0-9a-f]{32}\b"), "upload_***"),
    # Its id behind that word, also in a list: `staged <id>`, `upload_ids: ["<id>", "<id>"]`, `upload_id=UUID(<id>)`.
    (
        ("upload", "staged"),
        re.compile(
            rf"\b((?:staged|upload\w*)\W{{1,6}}(?:(?:object|UUID)\W{{1,3}})?){_UUID}"
            rf"(?:\W{{1,8}}(?:UUID\W{{1,3}})?{_UUID})*",
            re.IGNORECASE,
        ),
        r"\1***",
    ),
    # What PostgreSQL quotes of a row: `DETAIL:  Key (token)=(...) already exists.`, in whatever language.
    ((")=(",), re.compile(r"(\([^()\n]+\)=)\([^\n]*\)"), r"\1(***)"),
    (
        ("row contains",),
        re.compile(r"(Failing row contains )\(.*?(?:\)\.(?=\n\n|\nCONTEXT|\\n|['\"])|\Z)", re.DOTALL),
        r"\1(***).",
    ),
    # A program's token, a session in the cache, an address that the object store has signed.
    (("sp_",), re.compile(r"\b(sp_)[\w-]{20,}"), r"\1***"),
    (("sessions.",), re.compile(r"(\bsessions\.(?:cached_db|cache))[a-z0-9]{32}"), r"\1***"),
    (("x-amz-",), re.compile(r"(X-Amz-(?:Signature|Credential)=)[^&\s\"']+", re.IGNORECASE), r"\1***"),
)
_BY_MARK = [(mark, pattern, instead) for marks, pattern, instead in _PATTERNS for mark in marks]


def masked(text: str) -> str:
    """The text without tokens and upload ids: `/t/<token>` becomes `/t/***`."""
    if len(text) < _SHORTEST:
        return text
    small = text.lower()
    for mark, pattern, instead in _BY_MARK:
        if mark in small:
            text = pattern.sub(instead, text)
    return text


def masked_within(value: Any, deep: int = 0) -> Any:
    """The same with every text in it masked, however deep in mappings and sequences; None for what lies too deep."""
    if isinstance(value, str):
        return masked(value)
    if deep > _MOST_DEEP:
        return None
    if isinstance(value, Mapping):
        return {key: masked_within(inner, deep + 1) for key, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(masked_within(inner, deep + 1) for inner in value)
    if isinstance(value, list | set | frozenset):
        return [masked_within(inner, deep + 1) for inner in value]
    return value
