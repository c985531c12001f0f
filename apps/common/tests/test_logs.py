"""No log line names a token or an upload's id, whoever writes it."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from django.conf import settings
from django.test import Client
from structlog.testing import capture_logs

from apps.common.logs import configure
from apps.common.masking import masked
from apps.lifecycle.logs import JsonFormatter, TextFormatter, format_for, gunicorn_logging

TOKEN = "Zm9vYmFyYmF6cXV4-_0A1B"
UPLOAD = "0190a5b2-7c1d-4e7f-9a3b-5c6d7e8f9a0b"
OTHER = "0190a5b2-7c1d-4e7f-9a3b-5c6d7e8f9a0c"
BARE = UPLOAD.replace("-", "")
LEASE = "5f" * 16


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
        (f"LISTEN upload_{UPLOAD.replace('-', '')}", "LISTEN upload_***"),
        ("/static/app.0123456789abcdef.js", "/static/app.0123456789abcdef.js"),
        # Of the stores, and of who asks them.
        (f"No such file: '/x/staging/01/{BARE}/0-{LEASE}'", f"No such file: '/x/staging/01/***/0-{LEASE}'"),
        (f"http://s3/bucket/pre/staging/{BARE}/0-{LEASE}", f"http://s3/bucket/pre/staging/***/0-{LEASE}"),
        (f"prefix=staging%2F{BARE}%2F", "prefix=staging%2F***%2F"),
        (f"staged {UPLOAD}", "staged ***"),
        (f"Upload object ({UPLOAD})", "Upload object (***)"),
        (f"upload_id=UUID('{UPLOAD}'), size=3", "upload_id=UUID('***'), size=3"),
        (
            f"{{'blob_keys': [], 'upload_ids': ['{UPLOAD}', '{OTHER}']}}",
            "{'blob_keys': [], 'upload_ids': ['***']}",
        ),
        (f"blobs/01/{BARE}", f"blobs/01/{BARE}"),
        (f"file {UPLOAD}", f"file {UPLOAD}"),
        # Of the database.
        (
            f'unique constraint "part_once"\nDETAIL:  Key (upload_id, "offset")=({UPLOAD}, 0) already exists.\nx',
            'unique constraint "part_once"\nDETAIL:  Key (upload_id, "offset")=(***) already exists.\nx',
        ),
        (
            f"DETAIL:  Schl\u00fcssel \u00bb(token)=({TOKEN})\u00ab existiert bereits.",
            "DETAIL:  Schl\u00fcssel \u00bb(token)=(***)\u00ab existiert bereits.",
        ),
        (
            f"DETAIL:  Failing row contains (1, a (b).\n{TOKEN}, null).\n\nThe above exception",
            "DETAIL:  Failing row contains (***).\n\nThe above exception",
        ),
        (f"DETAIL:  Failing row contains (1, {TOKEN}).", "DETAIL:  Failing row contains (***)."),
        # Of programs, sessions, and addresses that a store has signed.
        (f"Authorization: Bearer sp_{TOKEN}", "Authorization: Bearer sp_***"),
        (f":1:django.contrib.sessions.cached_db{BARE}", ":1:django.contrib.sessions.cached_db***"),
        (f"/b?X-Amz-Expires=9&X-Amz-Signature={BARE}&x=1", "/b?X-Amz-Expires=9&X-Amz-Signature=***&x=1"),
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
    configure({"level": "WARNING", "format": kind, "stream": "stderr", "instance": "x", "release": "y"})
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


def test_a_logger_that_was_used_before_follows_what_is_set_up_later(logging_restored: None) -> None:
    used = structlog.get_logger("used")
    used.debug("before")
    configure(settings.LOGGING)
    with capture_logs() as lines:
        used.debug("after")
    assert [line["event"] for line in lines] == ["after"]


def test_an_upload_is_named_by_the_beginning_of_its_id(
    logging_restored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure({"level": "INFO", "format": "json", "stream": "stdout", "instance": "x", "release": "y"})
    structlog.get_logger("x").info("append_paused", upload=UPLOAD)
    assert json.loads(capsys.readouterr().out)["upload"] == UPLOAD[:8]


def test_no_value_of_a_line_has_one_whatever_its_name_and_kind(
    logging_restored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure({"level": "INFO", "format": "json", "stream": "stdout", "instance": "x", "release": "y"})
    structlog.get_logger("x").info(
        "discard_failed",
        what=f"staged {UPLOAD}",
        why=ValueError(f"at /t/{TOKEN}"),
        tried=[f"/t/{TOKEN}", {"at": (f"/t/{TOKEN}", 3)}],
        count=2,
    )
    line = capsys.readouterr().out
    assert UPLOAD not in line
    assert TOKEN not in line
    said = json.loads(line)
    assert (said["what"], said["why"], said["count"]) == ("staged ***", "at /t/***", 2)
    assert said["tried"] == ["/t/***", {"at": ["/t/***", 3]}]


def test_a_file_that_is_not_there_names_no_upload_in_its_trace(
    logging_restored: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    configure({"level": "INFO", "format": "json", "stream": "stdout", "instance": "x", "release": "y"})
    part = tmp_path / "staging" / BARE[:2] / BARE / f"0-{LEASE}"
    try:
        part.read_bytes()
    except OSError:
        structlog.get_logger("x").error("part_missing", exc_info=True)
    line = capsys.readouterr().out
    assert "FileNotFoundError" in line
    assert BARE not in line


def test_gunicorns_lines_have_no_token_in_message_or_trace() -> None:
    line = JsonFormatter().format(failure("Error handling request %s", f"GET /t/{TOKEN}"))
    assert json.loads(line)["event"] == "Error handling request GET /t/***"
    assert TOKEN not in line


def test_gunicorns_lines_for_people_have_no_token_either() -> None:
    line = TextFormatter().format(failure("Error handling request %s", f"GET /t/{TOKEN}"))
    assert "Error handling request GET /t/***" in line
    assert "RuntimeError" in line
    assert TOKEN not in line


@pytest.mark.django_db
def test_a_form_without_its_token_is_no_warning_of_djangos(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
    Client(enforce_csrf_checks=True).post(f"/t/{TOKEN}/password", {"password": "x"})
    assert TOKEN not in caplog.text


class Terminal:
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("wanted", "shown", "chosen"),
    [
        ("auto", True, "console"),
        ("auto", False, "json"),
        ("json", True, "json"),
        ("console", False, "console"),
    ],
)
def test_a_terminal_gets_text_for_people_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, wanted: str, shown: bool, chosen: str
) -> None:
    if shown:
        monkeypatch.setattr(sys, "stdout", Terminal())
    assert format_for(wanted, "stdout") == chosen


def test_gunicorns_own_lines_go_where_the_others_go_in_the_same_shape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "")
    told = gunicorn_logging("INFO")
    assert told["handlers"]["lines"]["stream"] == "ext://sys.stdout"
    assert told["formatters"]["line"] == {"()": JsonFormatter}
    monkeypatch.setenv("LOG_FORMAT", "console")
    assert gunicorn_logging("INFO")["formatters"]["line"] == {"()": TextFormatter}
