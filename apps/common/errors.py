"""Owns what every refusal has in common: one stable code, one HTTP status, words fit for whoever asked.

Raised anywhere; turned into a response in one place (apps.common.middleware). The classes themselves live beside
the rules they belong to.
"""

from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from django.db import InterfaceError, OperationalError
from django.utils import translation
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from psycopg.errors import (
    DeadlockDetected,
    IdleInTransactionSessionTimeout,
    LockNotAvailable,
    SerializationFailure,
)
from psycopg_pool import PoolTimeout, TooManyRequests

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# What a person reads: marked with gettext_lazy, so that it is said in the language of whoever asked.
Words: TypeAlias = "str | _StrPromise"

# What a database that cannot be reached, or a pool without a free connection, is noticed by.
DATABASE_ERRORS = (OperationalError, InterfaceError, PoolTimeout, TooManyRequests)
# The database is well, but others held what this request wanted to change.
_CONTENDED = (LockNotAvailable, DeadlockDetected, SerializationFailure)


class SpillwayError(Exception):
    """A refusal with a stable `code`. `message` reaches clients: no paths, no internals.

    `data` is added to the JSON body, `headers` to the response.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    # The headline of the error page; empty means the usual one for the status.
    title: ClassVar[Words] = ""
    message: ClassVar[Words] = _("Something went wrong on our side.")
    what_to_do: ClassVar[Words] = _("Try again in a moment.")

    def __init__(
        self,
        message: Words = "",
        *,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._words = message or self.message
        self.data = data or {}
        self.headers = headers or {}
        super().__init__(self._words)

    @property
    def text(self) -> str:
        """The message in the language of whoever asked."""
        return str(self._words)

    def __str__(self) -> str:
        """The message in English, for logs."""
        with translation.override("en"):
            return self.text


class NotFoundError(SpillwayError):
    """There is nothing here, or nothing for this visitor: the two are never told apart."""

    code = "not_found"
    status = 404
    message = _("This address leads nowhere on this site; part of it may be missing.")
    what_to_do = _("Check the link, or ask the sender for a new one.")


class InvalidInputError(SpillwayError):
    """What was sent cannot be understood."""

    code = "invalid_input"
    status = 400
    message = _("This request cannot be understood.")
    what_to_do = _("Correct it and try again.")


class InvalidFieldError(InvalidInputError):
    """Something of a form or a body that cannot be used; `field` says what. `values` fill the {places} of the words."""

    def __init__(self, field: str, message: Words, /, **values: object) -> None:
        # Not yet put together: in which language is known only when it is read.
        super().__init__(format_lazy(message, **values) if values else message, data={"field": field})


class LengthRequiredError(SpillwayError):
    """A body whose length nobody said beforehand; only uploads may come so."""

    code = "length_required"
    status = 411
    message = _("Say how long the body is.")
    what_to_do = _("Send a Content-Length instead of a chunked body.")


class ForbiddenError(SpillwayError):
    """Known, understood, and not allowed."""

    code = "forbidden"
    status = 403
    message = _("You may not do this.")
    what_to_do = _("Sign in with an account that may, or ask whoever runs this site.")


class SignInRequiredError(SpillwayError):
    """Only people who are signed in may do this."""

    code = "sign_in_required"
    status = 401
    message = _("Please sign in first.")
    what_to_do = _("Sign in and try again.")


class TooManyRequestsError(SpillwayError):
    """A throttle said no; `Retry-After` says when to come back."""

    code = "too_many_requests"
    status = 429
    message = _("That was too often.")
    what_to_do = _("Wait a moment and try again.")


class UnavailableError(SpillwayError):
    """Not now, on this instance; a retry is likely to work."""

    code = "unavailable"
    status = 503
    message = _("This cannot be done right now.")
    what_to_do = _("Try again in a moment; nothing was lost.")


class BusyError(UnavailableError):
    """Others held what this request wanted to change for longer than it may wait, or it and they were in a deadlock."""

    code = "busy"
    message = _("Many people are changing this at the same moment.")


def is_database_error(error: BaseException) -> bool:
    """Whether this is one of DATABASE_ERRORS, or what a transaction gets that idled: in Django's eyes a bug of ours."""
    idled = isinstance(error.__cause__, IdleInTransactionSessionTimeout)
    return idled or isinstance(error, DATABASE_ERRORS)


def database_refusal(error: BaseException, **headers: str) -> UnavailableError:
    """Our word for a database that did not do as it was asked."""
    kind = BusyError if isinstance(error.__cause__, _CONTENDED) else UnavailableError
    return kind(headers={"Retry-After": "2", **headers})


class CsrfError(ForbiddenError):
    """The form came without the token that only our own pages have."""

    code = "csrf_failed"
    message = _("This page has been open for too long, or cookies are switched off.")
    what_to_do = _("Go back, load the page again and send it once more.")
