"""A request's log line says how many bytes came, not how many were announced. gunicorn's parser on a real socket."""

import socket
from collections.abc import Mapping

import pytest
from django.http import HttpRequest, HttpResponse
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from structlog.testing import capture_logs

from apps.common.middleware import RequestContextMiddleware
from apps.common.wsgi import Request
from apps.uploads.body import BUFFER_BYTES, body_source, discard_body


def read(request: HttpRequest) -> HttpResponse:
    """As an upload does, to the end or to where the client hung up."""
    with body_source(request.META) as source:
        while (block := source.take(BUFFER_BYTES, 5.0)) is not None and len(block):
            pass
    return HttpResponse()


def refuse(request: HttpRequest) -> HttpResponse:
    discard_body(request.META, most_bytes=2**20, most_seconds=5.0)
    return HttpResponse(status=411)


def line_of(view, headers: str, sent: bytes, *, method: str = "PATCH") -> Mapping[str, object]:
    """The log line of a request of which this much is sent before the client hangs up."""
    client, server = socket.socketpair()
    with client, server:
        client.sendall(f"{method} /files/x HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n".encode() + sent)
        client.shutdown(socket.SHUT_WR)
        parsed = next(RequestParser(Config(), server, ("127.0.0.1", 1)))
        told = {f"HTTP_{name.replace('-', '_')}": value for name, value in parsed.headers}
        environ = {
            "REQUEST_METHOD": method, "PATH_INFO": "/files/x", "SERVER_NAME": "a", "SERVER_PORT": "80",
            "CONTENT_LENGTH": told.get("HTTP_CONTENT_LENGTH", ""), "wsgi.input": parsed.body,
            "gunicorn.socket": server, "wsgi.url_scheme": "http", "REMOTE_ADDR": "127.0.0.1", **told,
        }  # fmt: skip
        with capture_logs() as lines:
            RequestContextMiddleware(view)(Request(environ))
    [line] = [line for line in lines if line["event"] == "request"]
    return line


@pytest.mark.parametrize("view", [read, refuse])
def test_a_body_that_breaks_off_counts_as_far_as_it_came(view) -> None:
    assert line_of(view, "Content-Length: 1000000000", b"x" * 18)["bytes_in"] == 18


def test_a_whole_body_counts_whole_whatever_gunicorn_had_read_ahead() -> None:
    assert line_of(read, "Content-Length: 100000", b"x" * 100_000)["bytes_in"] == 100_000


def test_a_chunked_body_counts_without_what_is_around_its_chunks() -> None:
    body = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    assert line_of(refuse, "Transfer-Encoding: chunked", body)["bytes_in"] == 11


def test_a_large_body_that_nobody_reads_is_nought() -> None:
    line = line_of(lambda request: HttpResponse(), "Content-Length: 1000000000", b"")
    assert line["bytes_in"] == 0


def test_a_body_that_django_reads_is_as_long_as_announced() -> None:
    line = line_of(lambda request: HttpResponse(request.body), "Content-Length: 5", b"hello", method="POST")
    assert line["bytes_in"] == 5
