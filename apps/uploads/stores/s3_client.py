"""Owns how the object store is asked: clients, limits of time, what is tried again, and its refusals in our words.

Knows no keys and no layout.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.parsers import ResponseParserError
from prometheus_client import Counter

from apps.uploads.ports import StoreError, StoreFullError

logger = structlog.get_logger(__name__)
RETRIES = Counter(
    "spillway_store_retries",
    "Questions that the object store failed and that were asked again.",
    ["operation"],
)

_MOST_CONNECTIONS = 128
_THIS_MACHINE = {"127.0.0.1", "::1", "localhost"}
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_SHORT = {"InvalidRange", "416"}
_GONE = {"NoSuchKey", "NoSuchUpload", "404", *_SHORT}
# Refusals that pass, whatever their status: S3's own words, and those of stores that speak like it.
_PASSING = {
    "SlowDown", "SlowDownRead", "SlowDownWrite", "Throttling", "ThrottlingException", "RequestTimeout",
    "InternalError", "ServiceUnavailable", "OperationAborted", "429",
}  # fmt: skip
_PASSING_ERRORS = (ConnectionError, HTTPClientError, IncompleteReadError, ResponseParserError)
FAILURES = (ClientError, BotoCoreError, ResponseParserError)
_FULL = {"QuotaExceeded", "XMinioStorageFull", "XMinioStorageQuotaExceeded", "507"}


class GoneError(StoreError):
    """What was asked for is not in the bucket (the bucket itself is), or has no such bytes."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the object store has no such thing ({code})")
        self.is_short = code in _SHORT


@dataclass(frozen=True)
class Access:
    """Which bucket of which store, and with whose keys."""

    endpoint_url: str
    public_url: str
    bucket: str
    region: str
    access_key: str
    secret_key: str


@dataclass(frozen=True)
class Patience:
    """How long one answer may take, and for how long a question that fails is asked again; in seconds."""

    answer_seconds: float
    retry_seconds: float

    def for_copies(self) -> "Patience":
        """Copies, and putting a large object together, take the store a while."""
        return Patience(6 * self.answer_seconds, self.retry_seconds)


# A request holds a lease of a few seconds: whoever waits longer has lost it, and holds a thread for nothing.
REQUEST = Patience(answer_seconds=2.0, retry_seconds=3.0)
# A worker renews its claim between two questions.
WORK = Patience(answer_seconds=5.0, retry_seconds=12.0)
LOOK = Patience(answer_seconds=0.9, retry_seconds=0.0)

_making = threading.Lock()


@lru_cache(maxsize=16)
def _client(access: Access, url: str, answer_seconds: float) -> Any:
    """A client. Making one costs a tenth of a second, and its connections are worth keeping: one per process, kept as a
    cache is kept. It holds nothing of any request, and may be used by all threads at once.
    """
    with _making:  # boto3's own session may not be used by two threads at once
        return boto3.session.Session().client(
            "s3",
            endpoint_url=url,
            region_name=access.region,
            aws_access_key_id=access.access_key,
            aws_secret_access_key=access.secret_key,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                connect_timeout=answer_seconds,
                read_timeout=answer_seconds,
                # Trying again is ours: it must end before a lease does, and be seen.
                retries={"total_max_attempts": 1},
                max_pool_connections=_MOST_CONNECTIONS,
                # A web proxy that this machine uses for other sites cannot reach a store on the machine itself.
                proxies={} if urlsplit(url).hostname in _THIS_MACHINE else None,
                # Not every store knows the newer checksums; a SHA-256 of each body is part of the signature.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                parameter_validation=False,
            ),
        )


class Asker:
    """Asks one bucket. Safe to use from many threads."""

    def __init__(self, access: Access, patience: Patience) -> None:
        self.access = access
        self.patience = patience

    def patient(self, patience: Patience) -> "Asker":
        """The same bucket, asked with other limits."""
        return Asker(self.access, patience)

    def ask(self, operation: str, **parameters: Any) -> Any:
        """One operation, such as `put_object`, asked again with growing pauses while it fails in a way that passes.

        A `Body` must be a file in memory: it is read from its start each time. Raises GoneError, StoreError,
        StoreFullError.
        """
        client = _client(self.access, self.access.endpoint_url, self.patience.answer_seconds)
        question = getattr(client, operation)
        until = time.monotonic() + self.patience.retry_seconds
        attempt = 0
        while True:
            try:
                if body := parameters.get("Body"):
                    body.seek(0)
                return question(Bucket=self.access.bucket, **parameters)
            except FAILURES as error:
                if not passes(error) or not pause(operation, attempt, until):
                    raise in_our_words(error) from error
            attempt += 1

    def presigned(self, operation: str, seconds: int, **parameters: Any) -> str:
        """An address at which anybody may do this once or often, for so many seconds. Asks nobody."""
        client = _client(self.access, self.access.public_url, self.patience.answer_seconds)
        url: str = client.generate_presigned_url(
            operation, Params={"Bucket": self.access.bucket, **parameters}, ExpiresIn=seconds
        )
        return url


def pause(operation: str, attempt: int, until: float) -> bool:
    """Wait before the next try, longer each time and never as long as others do; False when it is too late for one."""
    longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**attempt)
    seconds = longest * random.uniform(0.5, 1.0)  # noqa: S311 (not a secret)
    if time.monotonic() + seconds > until:
        return False
    RETRIES.labels(operation).inc()
    logger.info("store_asked_again", operation=operation, attempt=attempt + 1)
    time.sleep(seconds)
    return True


def passes(error: Exception) -> bool:
    """Whether the same question may get a better answer in a moment."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return _code(error) in _PASSING or (status >= 500 and _code(error) not in _FULL) or status == 429
    return isinstance(error, _PASSING_ERRORS)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def in_our_words(error: Exception) -> StoreError:
    """What goes to the log and to the status page: no address, no key."""
    if not isinstance(error, ClientError):
        return StoreError(f"the object store cannot be reached ({type(error).__name__})")
    code = _code(error)
    if code in _GONE:
        return GoneError(code)
    if code in _FULL:
        return StoreFullError("no space left in the object store")
    return StoreError(f"the object store refused ({code})")


def quietly(what: str, act: Callable[[], Any]) -> None:
    """For what is tidied up later if it cannot be now."""
    try:
        act()
    except StoreError as error:
        logger.warning("store_not_tidied", what=what, why=str(error))
