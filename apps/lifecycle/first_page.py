"""Owns the first page of a worker: its own application must serve the front page before anybody is sent here.

Asked within the process, without a socket or one of the threads that serve: nobody's request waits for it, and it
counts as nobody's.
"""

import io
import logging
import sys
import time
from typing import Any
from urllib.parse import urlsplit
from wsgiref.types import WSGIApplication, WSGIEnvironment

import structlog
from django.conf import settings
from django.db import connections
from django.http.request import split_domain_port, validate_host

from apps.lifecycle.scoreboard import Slot
from apps.lifecycle.vocabulary import CHECK_OK

logger = structlog.get_logger(__name__)
# In the environment of such a request. No header can set it: theirs begin with HTTP_.
WARM_UP = "spillway.warm_up"
_RETRY_SECONDS = 1.0


def wait_until_served(application: WSGIApplication, slot: Slot) -> None:
    """Ask until the answer is none of a broken site. Says each reason once; what passes heals by itself."""
    once = _Once()
    logging.getLogger("django.request").addFilter(once)
    said: set[str] = set()
    while (reason := _look(application, slot, said)) != CHECK_OK:
        said.add(reason)
        time.sleep(_RETRY_SECONDS)
    logging.getLogger("django.request").removeFilter(once)
    # What this thread logs from here on belongs to no request.
    structlog.contextvars.clear_contextvars()


def _look(application: WSGIApplication, slot: Slot, said: set[str]) -> str:
    began = time.monotonic()
    slot.first_page.began(began)
    status, error = _asked(application)
    reason = _reason(status, error)
    slot.first_page.ended(ok=reason == CHECK_OK, reason=reason, began=began, now=time.monotonic())
    if reason != CHECK_OK and reason not in said:
        logger.error("first_page_failed", reason=reason, status=status, exc_info=error)
    return reason


def _asked(application: WSGIApplication) -> tuple[int | None, BaseException | None]:
    try:
        return ask(application, front_page_environment()), None
    except (Exception, SystemExit) as error:
        return None, error
    finally:
        # Django gives connections back when an answer is closed; one that was never made is never closed.
        connections.close_all()


def _reason(status: int | None, error: BaseException | None) -> str:
    """In our own words: what an exception says may hold anything."""
    if status is None:
        return f"raises {type(error).__name__}"
    return CHECK_OK if status < 500 else f"answers {status}"


def ask(application: WSGIApplication, environment: WSGIEnvironment) -> int:
    """The status of the answer, which is taken to its last byte and closed, as a server does."""
    statuses: list[int] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        statuses.append(int(status.split(" ", 1)[0]))
        return lambda data: None

    answer = application(environment, start_response)
    try:
        for _ in answer:
            pass
    finally:
        if hasattr(answer, "close"):
            answer.close()
    return statuses[-1]


def front_page_environment() -> WSGIEnvironment:
    """GET / as a browser asks for it at this site's public address."""
    public = urlsplit(settings.PUBLIC_URL)
    host = _host(public.netloc)
    return {
        WARM_UP: True,
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": split_domain_port(host)[0],
        "SERVER_PORT": str(public.port or (443 if public.scheme == "https" else 80)),
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": host,
        "HTTP_ACCEPT": "text/html",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": public.scheme,
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def _host(public: str) -> str:
    """A host that this site answers to: the public one, unless ALLOWED_HOSTS leaves that out."""
    if validate_host(split_domain_port(public)[0], settings.ALLOWED_HOSTS):
        return public
    return next((name.lstrip(".") for name in settings.ALLOWED_HOSTS), "localhost")


class _Once(logging.Filter):
    """Lets Django log each trouble of the first page once, not with every try."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[object] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this is another request's, or news."""
        request = getattr(record, "request", None)
        if WARM_UP not in getattr(request, "META", {}):
            return True
        trouble = (record.getMessage(), record.exc_info and record.exc_info[0])
        is_news = trouble not in self._seen
        self._seen.add(trouble)
        return is_news
