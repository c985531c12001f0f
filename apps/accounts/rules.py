"""Owns the pure decisions about people: who may send or sign up, what a browser calls itself. No I/O, stdlib only."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Any


class SendPolicy(StrEnum):
    """Who may send on this site: the words of the SEND_POLICY setting."""

    ANYONE = "anyone"
    SIGNED_IN = "signed-in"
    STAFF = "staff"


class SendAnswer(StrEnum):
    """What somebody who wants to send is told."""

    YES = "yes"
    SIGN_IN_FIRST = "sign-in-first"
    NO = "no"


class SignUp(StrEnum):
    """Who may make an account: the words of the SIGN_UP setting."""

    OPEN = "open"
    INVITED = "invited"
    CLOSED = "closed"


class TokenScope(StrEnum):
    """What a program with a token may do."""

    READ = "read"
    WRITE = "write"


class TokenState(StrEnum):
    """Whether a token opens anything, or why not."""

    LIVE = "live"
    REVOKED = "revoked"
    EXPIRED = "expired"


def may_send(policy: SendPolicy, *, signed_in: bool, staff: bool) -> SendAnswer:
    """Whether a person may send; who is not signed in yet may turn out to be allowed."""
    if policy is SendPolicy.ANYONE or (staff and signed_in):
        return SendAnswer.YES
    if not signed_in:
        return SendAnswer.SIGN_IN_FIRST
    return SendAnswer.YES if policy is SendPolicy.SIGNED_IN else SendAnswer.NO


def may_sign_up(policy: SignUp, *, invited: bool) -> bool:
    """Whether somebody may make an account; `invited`: they hold an invitation that is good for one."""
    return policy is SignUp.OPEN or (policy is SignUp.INVITED and invited)


def token_state(*, revoked_at: datetime | None, expires_at: datetime | None, now: datetime) -> TokenState:
    """What a token is worth."""
    if revoked_at is not None:
        return TokenState.REVOKED
    if expires_at is not None and expires_at <= now:
        return TokenState.EXPIRED
    return TokenState.LIVE


def second_factor_given(records: Iterable[Mapping[str, Any]], *, now: float, seconds: float) -> bool:
    """Whether a session's sign-in records (`method`, `at` in seconds of the epoch) tell of a second factor lately."""
    return any(r.get("method") == "mfa" and now - float(r.get("at", 0)) < seconds for r in records)


@dataclass(frozen=True)
class Gauge:
    """How much of a quota is used, in bytes; `max_bytes` 0: there is no limit."""

    used_bytes: int
    max_bytes: int

    @property
    def left_bytes(self) -> int | None:
        """What may still be sent; None: as much as they like."""
        return max(0, self.max_bytes - self.used_bytes) if self.max_bytes else None

    @property
    def percent(self) -> int:
        """How high the water stands, 0 to 100: 0 only when nothing is there, 100 only when nothing fits."""
        if not self.max_bytes or not self.used_bytes:
            return 0
        if self.used_bytes >= self.max_bytes:
            return 100
        return min(99, max(1, round(100 * self.used_bytes / self.max_bytes)))


def masked_address(address: str) -> str:
    """An address that its owner recognises and nobody else can use: its network, `203.0.113.*` or `2001:db8:1:*`."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    if parsed.is_unspecified:
        return ""
    if parsed.version == 4:
        return f"{address.rsplit('.', 1)[0]}.*"
    return ":".join(part.lstrip("0") or "0" for part in parsed.exploded.split(":")[:3]) + ":*"


# The first that is found counts: most browsers also claim to be those that come after them here.
_BROWSERS = (
    ("Edge", r"Edg(?:e|A|iOS)?/"),
    ("Opera", r"OPR/|Opera"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"Firefox/|FxiOS/"),
    ("Chrome", r"Chrome/|CriOS/|Chromium/"),
    ("Safari", r"Safari/"),
    ("curl", r"^curl/"),
)
_SYSTEMS = (
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Android", r"Android"),
    ("Windows", r"Windows"),
    ("ChromeOS", r"CrOS"),
    ("macOS", r"Mac OS X|Macintosh"),
    ("Linux", r"Linux|X11"),
)


def browser_name(user_agent: str) -> str:
    """`Firefox, Linux` for what a browser says of itself; empty for what nobody would recognise."""
    found = (_first(user_agent, _BROWSERS), _first(user_agent, _SYSTEMS))
    return ", ".join(name for name in found if name)


def _first(text: str, table: tuple[tuple[str, str], ...]) -> str:
    return next((name for name, pattern in table if re.search(pattern, text)), "")
