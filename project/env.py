"""Owns how settings are read from the environment: typed, documented, loud. Holds no setting itself.

Every reader registers what it read in `REGISTRY`, so that the README's table can be checked against the code.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, TypeVar

import environ
from django.core.exceptions import ImproperlyConfigured

from apps.common import redis_url

T = TypeVar("T")


class _Required:
    """The default of a variable that has none."""


REQUIRED: Final = _Required()
# Django's backend where no mail server is set.
UNSENT: Final = "apps.common.unsent.UnsentBackend"
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
# In 32 random characters, hexadecimal ones at that, there are never so few different ones.
_DISTINCT_MIN = 6
_EXAMPLE = re.compile(
    r"change.?(me|this|it)|replace.?(me|this)|your.?secret|my.?secret|secret.?key|insecure|placeholder|example|password",
    re.IGNORECASE,
)
_ORIGIN = re.compile(r"\*|https?://[a-z0-9.-]+(:\d{1,5})?")
_RATE = re.compile(r"^\d+/(second|minute|hour|day)$")


@dataclass(frozen=True)
class Variable:
    """One environment variable: its name, kind, default (as a person would write it) and meaning."""

    name: str
    kind: str
    default: str
    meaning: str


def required_if(condition: bool) -> str | _Required:
    """The default of a text or a secret that is needed only then, and else empty."""
    return REQUIRED if condition else ""


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's alone."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


REGISTRY: dict[str, Variable] = {}


def _read(
    name: str,
    kind: str,
    default: T | _Required,
    meaning: str,
    parse: Callable[[str], T],
    shown: str = "",
) -> T:
    described = shown or ("(required)" if isinstance(default, _Required) else _shown(default))
    REGISTRY[name] = Variable(name, kind, described, meaning)
    raw = _raw(name)
    if raw is None:
        if isinstance(default, _Required):
            raise ImproperlyConfigured(f"{name} is not set: {meaning}")
        return default
    try:
        return parse(raw)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={raw!r} is not valid: {error}") from None


def _raw(name: str) -> str | None:
    """The variable's text; `NAME_FILE` names a file that holds it (a mounted secret)."""
    if path := os.environ.get(f"{name}_FILE"):
        try:
            with open(path, encoding="utf-8") as file:
                return file.read().strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE={path!r} cannot be read: {error.strerror}") from None
    value = os.environ.get(name, "").strip()
    return value or None


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, list | tuple):
        return ",".join(str(item) for item in default)
    return str(default)


def text(
    name: str,
    meaning: str,
    *,
    default: str | _Required = REQUIRED,
    pattern: str | None = None,
    shown: str = "",
) -> str:
    """A string; `pattern` is a regular expression that the whole value must match.

    `shown` is the default in words, here and below, where it depends on other variables.
    """

    def parse(raw: str) -> str:
        if pattern and not re.fullmatch(pattern, raw):
            raise ValueError(f"it must look like {pattern}")
        return raw

    return _read(name, "text", default, meaning, parse, shown)


def web_address(name: str, meaning: str) -> str:
    """An http:// or https:// address, empty if it is not set. It may hold a password: no error repeats it."""
    value = text(name, meaning, default="")
    if value and not re.fullmatch(r"https?://\S+", value):
        raise ImproperlyConfigured(f"{name} must look like https://host/path")
    return value


def secret(
    name: str,
    meaning: str,
    *,
    min_length: int = 32,
    default: str | _Required = REQUIRED,
    shown: str = "",
) -> str:
    """A string of at least `min_length` characters, no example's; its value is never shown in an error."""
    value = _read(name, "secret", default, meaning, lambda raw: raw, shown)
    if value == default:
        return value
    if len(value) < min_length:
        raise ImproperlyConfigured(f"{name} is shorter than {min_length} characters")
    if looks_like_an_example(value):
        raise ImproperlyConfigured(
            f"{name} looks like an example: it must be random, as `./spillway init` makes it"
        )
    return value


def looks_like_an_example(value: str) -> bool:
    """Whether anybody could guess it: copied from a guide, or one piece again and again."""
    repeats = value in (value + value)[1:-1]
    return repeats or len(set(value)) < _DISTINCT_MIN or _EXAMPLE.search(value) is not None


def integer(
    name: str,
    meaning: str,
    *,
    default: int | _Required = REQUIRED,
    minimum: int = 0,
    maximum: int = 2**62,
    shown: str = "",
) -> int:
    """A whole number within [minimum, maximum]."""
    return _read(name, "integer", default, meaning, lambda raw: _within(int(raw), minimum, maximum), shown)


def number(
    name: str,
    meaning: str,
    *,
    default: float | _Required = REQUIRED,
    minimum: float = 0.0,
    maximum: float = 1e9,
) -> float:
    """A decimal number within [minimum, maximum], usually seconds."""
    return _read(name, "number", default, meaning, lambda raw: _within(float(raw), minimum, maximum))


N = TypeVar("N", int, float)


def _within(value: N, minimum: N, maximum: N) -> N:
    if not minimum <= value <= maximum:
        raise ValueError(f"it must be between {minimum} and {maximum}")
    return value


def boolean(name: str, meaning: str, *, default: bool, shown: str = "") -> bool:
    """true/false, yes/no, on/off, 1/0."""

    def parse(raw: str) -> bool:
        if raw.lower() not in _TRUE | _FALSE:
            raise ValueError("it must be true or false")
        return raw.lower() in _TRUE

    return _read(name, "boolean", default, meaning, parse, shown)


def choice(name: str, meaning: str, *, default: str, among: tuple[str, ...]) -> str:
    """One of a few words."""

    def parse(raw: str) -> str:
        if raw not in among:
            raise ValueError(f"it must be one of {', '.join(among)}")
        return raw

    return _read(name, "|".join(among), default, meaning, parse)


def words(name: str, meaning: str, *, default: list[str], shown: str = "") -> list[str]:
    """A comma-separated list."""

    def parse(raw: str) -> list[str]:
        return [word.strip() for word in raw.split(",") if word.strip()]

    return _read(name, "list", default, meaning, parse, shown)


def origins(name: str, meaning: str, *, default: list[str]) -> list[str]:
    """A comma-separated list of origins, as a browser writes them: scheme and host, in lower case, no path; or `*`."""

    def parse(raw: str) -> list[str]:
        found = [word.strip() for word in raw.split(",") if word.strip()]
        if any(not _ORIGIN.fullmatch(word) for word in found):
            raise ValueError("each must look like https://app.example.com, without a path")
        return found

    return _read(name, "list", default, meaning, parse)


def rate(name: str, meaning: str, *, default: str) -> str:
    """How often something may happen: `60/minute`; units are second, minute, hour and day."""

    def parse(raw: str) -> str:
        if not _RATE.match(raw):
            raise ValueError("it must look like 60/minute")
        return raw

    return _read(name, "rate", default, meaning, parse)


def database(name: str, meaning: str) -> dict[str, Any]:
    """Django's DATABASES entry from a URL: postgresql://user:password@host:port/name."""

    def parse(raw: str) -> dict[str, Any]:
        if not raw.startswith(("postgresql://", "postgres://")):
            raise ValueError("it must begin with postgresql://")
        return dict(environ.Env.db_url_config(raw))

    with _unrepeated(name, "it must begin with postgresql://"):
        return _read(name, "url", REQUIRED, meaning, parse)


def redis(
    name: str,
    meaning: str,
    *,
    kinds: tuple[str, ...],
    default: str | _Required = REQUIRED,
    shown: str = "",
) -> str:
    """An address of Redis, of one of these kinds (apps.common.redis_url)."""

    def parse(raw: str) -> str:
        return redis_url.checked(raw, kinds)

    with _unrepeated(name, "it must look like " + " or ".join(kinds)):
        return _read(name, "url", default, meaning, parse, shown)


@contextmanager
def _unrepeated(name: str, what: str) -> Iterator[None]:
    """The value holds a password: say what is wrong with it without repeating it."""
    try:
        yield
    except ImproperlyConfigured as error:
        raise ImproperlyConfigured(str(error) if "is not set" in str(error) else f"{name}: {what}") from None


def email(name: str, meaning: str, *, default: str) -> dict[str, Any]:
    """Django's e-mail settings from a URL: smtp+tls://user:password@host:port. If it is empty, mail is not sent."""
    url = _read(name, "url", default, meaning, lambda raw: raw)
    if not url:
        return {"EMAIL_BACKEND": UNSENT}
    try:
        return dict(environ.Env.email_url_config(url))
    except ValueError:  # which would repeat a piece of a password with a / in it
        raise ImproperlyConfigured(f"{name} must look like smtp+tls://user:password@host:port") from None
