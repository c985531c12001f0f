"""No log line names a token or an upload's id, whoever writes it."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog
from django.conf import settings
from django.test import Client

from apps.common.logs import configure
from apps.common.masking import masked
from apps.lifecycle.logs import JsonFormatter

TOKEN = "Zm9vYmFyYmF6cXV4-_0A1B"
UPLOAD = "0190a5b2-7c1d-4e7f-9a3b-5c6d7e8f9a0b"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"Internal Server Error: /t/{TOKEN}", "Internal Server Error: /t/***"),
        (
            f"Error handling request GET /m/{TOKEN}/files/{UPLOAD}",
            "Error handling request GET /m/***/files/***",
        ),
        (f"(/d/{TOKEN}/{UPLOAD}?a=b)", f"(/d/***/{UPLOAD}?a=b)"),
        (f"http://x/files/{UPLOAD}", "http://x/files/***"),
        (f"/accounts/login/?next=%2Ft%2F{TOKEN}", "/accounts/login/?next=%2Ft%2F***"),
        (f"/accounts/invitation/{TOKEN}", "/accounts/invitation/***"),
        (f"/accounts/password/reset/key/1-{TOKEN}/", "/accounts/password/reset/key/***/"),
        (f"/accounts/confirm-email/MQ:1abcde:{TOKEN}/", "/accounts/confirm-email/***/"),
        ("django/core/files/uploadedfile.py", "django/core/files/uploadedfile.py"),
        ("t/<token:token>", "t/<token:token>"),
        ("/static/app.0123456789abcdef.js", "/static/app.0123456789abcdef.js"),
    ],
)
def test_what_stands_where_a_token_would_is_masked(said: str, kept: str) -> None:
    assert masked(said) == kept


def failure(message: str, *arguments: object) -> logging.LogRecord:
    try:
        raise RuntimeError(f"at /t/{TOKEN}")
    except RuntimeError:
        return logging.LogRecord("django.request", logging.ERROR, "", 0, message, arguments, sys.exc_info())


@pytest.mark.parametrize("kind", ["json", "console"])
def test_our_lines_have_no_token_in_message_or_trace(kind: str) -> None:
    configure({"level": "WARNING", "format": kind, "instance": "x", "release": "y"})
    try:
        (handler,) = (h for h in logging.getLogger().handlers if type(h) is logging.StreamHandler)
        line = handler.format(failure("Internal Server Error: %s", f"/t/{TOKEN}"))
    finally:
        configure(settings.LOGGING)
    assert "Internal Server Error" in line
    assert "RuntimeError" in line
    assert TOKEN not in line


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """The site's own logging again. Ask for it before capsys: what is set up while that holds stderr writes to a closed
    file in every test after.
    """
    yield
    configure(settings.LOGGING)


def test_an_upload_is_named_by_the_beginning_of_its_id(
    logging_restored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure({"level": "INFO", "format": "json", "instance": "x", "release": "y"})
    structlog.get_logger("x").info("append_paused", upload=UPLOAD)
    assert json.loads(capsys.readouterr().err)["upload"] == UPLOAD[:8]


def test_gunicorns_lines_have_no_token_in_message_or_trace() -> None:
    line = JsonFormatter().format(failure("Error handling request %s", f"GET /t/{TOKEN}"))
    assert json.loads(line)["event"] == "Error handling request GET /t/***"
    assert TOKEN not in line


@pytest.mark.django_db
def test_a_form_without_its_token_is_no_warning_of_djangos(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
    Client(enforce_csrf_checks=True).post(f"/t/{TOKEN}/password", {"password": "x"})
    assert TOKEN not in caplog.text
