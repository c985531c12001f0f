"""Owns what the users of this machine are called. Changes nothing."""

import pwd


def user_name(uid: int) -> str:
    """The name, or the number in words: not every user has a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user number {uid}"
